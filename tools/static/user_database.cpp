// getpwnam_r(3) and its kin for a static program: by getent(1), or by the files where there is none.

#include <grp.h>
#include <pwd.h>
#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <syncspawn/launcher.hpp>

namespace {

using syncspawn::Stdio;

struct Close {
    void operator()(std::FILE* file) const noexcept { (void)std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

struct Answer {
    bool is_there = false;  // whether somebody could be asked
    std::string text{};
};

Answer ask_getent(const char* database, const std::string& key) {
    syncspawn::SpawnError error;
    syncspawn::RunResult result = syncspawn::run(
        {.program = "getent",
         .arguments = {database, "--", key},
         .streams = {.input = Stdio::null(), .output = Stdio::pipe(), .error = Stdio::null()}},
        {}, error);
    return error ? Answer{} : Answer{true, std::move(result.output)};
}

// Entries in the format of the file, those of the key among them. None if there is no file.
File entries_for(const char* database, const std::string& key, std::string& text) {
    Answer answer = ask_getent(database, key);
    if (!answer.is_there) {
        return File(std::fopen((std::string("/etc/") + database).c_str(), "re"));
    }
    text = answer.text + '\n';
    return File(fmemopen(text.data(), text.size(), "r"));
}

// As getpwnam_r(3) and getgrnam_r(3): `read` is fgetpwent_r(3) or fgetgrent_r(3).
template <class Entry, class Read, class IsIt>
int look_up(const char* database, const std::string& key, Entry** found, Read read, IsIt is_it) {
    std::string text;
    const File entries = entries_for(database, key, text);
    *found = nullptr;
    while (entries) {
        const int error = read(entries.get(), found);
        if (error != 0 || *found == nullptr) {
            return error == ENOENT ? 0 : error;
        }
        if (is_it(**found)) {
            return 0;
        }
        *found = nullptr;
    }
    return 0;
}

std::vector<gid_t> groups_in(std::string_view line) {
    std::vector<gid_t> groups;
    line.remove_prefix(std::min(line.find(' '), line.size()));  // the user's name
    while (!line.empty()) {
        gid_t group = 0;
        const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), group);
        if (error == std::errc()) {
            groups.push_back(group);
        }
        const auto length = static_cast<std::size_t>(end - line.data());
        line.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return groups;
}

std::vector<gid_t> groups_of_file(std::string_view user) {
    std::vector<gid_t> groups;
    const File file(std::fopen("/etc/group", "re"));
    std::vector<char> room(std::size_t{1} << 20U);
    group entry{};
    group* found = nullptr;
    while (file && fgetgrent_r(file.get(), &entry, room.data(), room.size(), &found) == 0) {
        for (char** member = entry.gr_mem; *member != nullptr; ++member) {
            if (*member == user) {
                groups.push_back(entry.gr_gid);
            }
        }
    }
    return groups;
}

}  // namespace

// The linker's --wrap gives the names. NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
extern "C" {

int __wrap_getpwnam_r(const char* name, passwd* entry, char* room, std::size_t size,
                      passwd** found);
int __wrap_getpwuid_r(uid_t user, passwd* entry, char* room, std::size_t size, passwd** found);
int __wrap_getgrnam_r(const char* name, group* entry, char* room, std::size_t size, group** found);
int __wrap_getgrouplist(const char* user, gid_t group, gid_t* groups, int* count);

int __wrap_getpwnam_r(const char* name, passwd* entry, char* room, std::size_t size,
                      passwd** found) {
    const auto read = [&](std::FILE* file, passwd** one) {
        return fgetpwent_r(file, entry, room, size, one);
    };
    return look_up("passwd", name, found, read,
                   [name](const passwd& one) { return std::string_view(one.pw_name) == name; });
}

int __wrap_getpwuid_r(uid_t user, passwd* entry, char* room, std::size_t size, passwd** found) {
    const auto read = [&](std::FILE* file, passwd** one) {
        return fgetpwent_r(file, entry, room, size, one);
    };
    return look_up("passwd", std::to_string(user), found, read,
                   [user](const passwd& one) { return one.pw_uid == user; });
}

int __wrap_getgrnam_r(const char* name, group* entry, char* room, std::size_t size, group** found) {
    const auto read = [&](std::FILE* file, group** one) {
        return fgetgrent_r(file, entry, room, size, one);
    };
    return look_up("group", name, found, read,
                   [name](const group& one) { return std::string_view(one.gr_name) == name; });
}

int __wrap_getgrouplist(const char* user, gid_t group, gid_t* groups, int* count) {
    const Answer answer = ask_getent("initgroups", user);
    std::vector<gid_t> all = answer.is_there ? groups_in(answer.text) : groups_of_file(user);
    if (std::find(all.begin(), all.end(), group) == all.end()) {
        all.insert(all.begin(), group);
    }
    const int room = *count;
    *count = static_cast<int>(all.size());
    std::copy_n(all.begin(), std::min(room, *count), groups);
    return room < *count ? -1 : *count;
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
