#include "hierarchy.hpp"

#include <fcntl.h>
#include <sys/vfs.h>

#include <cerrno>
#include <sstream>

#include "cgroup_files.hpp"

namespace syncspawn::sandbox {
namespace {

constexpr long magic_of_cgroup2 = 0x63677270;

bool is_octal(std::string_view digits) noexcept {
    return digits.size() == 3 && digits.find_first_not_of("01234567") == std::string_view::npos;
}

// Blanks, newlines and backslashes are written as \040 and so on.
std::string unescaped(std::string_view text) {
    std::string plain;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\' && is_octal(text.substr(at + 1, 3))) {
            plain += static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 +
                                       (text[at + 3] - '0'));
            at += 3;
        } else {
            plain += text[at];
        }
    }
    return plain;
}

// What is mounted there may be covered by another mount.
bool is_in_sight(const CgroupMount& mount) noexcept {
    struct statfs about {};
    return statfs(mount.point.c_str(), &about) == 0 && about.f_type == magic_of_cgroup2;
}

std::vector<CgroupMount> mounts_in_sight() {
    std::vector<CgroupMount> mounts =
        cgroup_mounts_in(read_whole_file("/proc/self/mountinfo").value_or(""));
    std::erase_if(mounts, [](const CgroupMount& mount) { return !is_in_sight(mount); });
    return mounts;
}

}  // namespace

std::string CgroupMount::directory_of(std::string_view cgroup) const {
    // What is outside of this process's cgroup namespace is named from there: "/../..".
    if (cgroup.find("/..") != std::string_view::npos) {
        return {};
    }
    const std::string_view prefix = root == "/" ? std::string_view() : std::string_view(root);
    if (!cgroup.starts_with(prefix)) {
        return {};
    }
    cgroup.remove_prefix(prefix.size());
    if (!cgroup.empty() && cgroup.front() != '/') {
        return {};
    }
    return point + std::string(cgroup == "/" ? "" : cgroup);
}

std::vector<CgroupMount> cgroup_mounts_in(std::string_view mountinfo) {
    std::vector<CgroupMount> mounts;
    std::istringstream lines{std::string(mountinfo)};
    for (std::string line; std::getline(lines, line);) {
        const std::size_t separator = line.find(" - ");
        if (separator == std::string::npos ||
            !std::string_view(line).substr(separator).starts_with(" - cgroup2 ")) {
            continue;
        }
        const std::vector<std::string> fields = words_of(line);
        constexpr std::size_t root = 3;
        constexpr std::size_t point = 4;
        if (fields.size() > point) {
            mounts.push_back({unescaped(fields[root]), unescaped(fields[point])});
        }
    }
    return mounts;
}

std::optional<std::string> cgroup_in(std::string_view text) {
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("0::")) {
            return line.substr(3);
        }
    }
    return std::nullopt;
}

Hierarchy find_hierarchy() {
    Hierarchy found;
    const std::string own =
        cgroup_in(read_whole_file("/proc/self/cgroup").value_or("")).value_or("/..");
    for (const CgroupMount& mount : mounts_in_sight()) {
        found.mount = found.mount.empty() ? mount.point : found.mount;
        if (found.own.empty() && !mount.directory_of(own).empty()) {
            found = {mount.point, mount.directory_of(own)};
        }
    }
    return found;
}

std::optional<std::string> directory_of_process(const std::string& process) {
    const auto text = read_whole_file("/proc/" + process + "/cgroup");
    if (!text) {
        return std::nullopt;
    }
    const std::string cgroup = cgroup_in(*text).value_or("/..");
    for (const CgroupMount& mount : mounts_in_sight()) {
        std::string directory = mount.directory_of(cgroup);
        if (!directory.empty()) {
            return directory;
        }
    }
    errno = ENOENT;
    return std::nullopt;
}

}  // namespace syncspawn::sandbox
