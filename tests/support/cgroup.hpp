#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <string>

#include <syncspawn/barrier/unique_fd.hpp>

#include "support/observe.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

namespace syncspawn::testing {

inline bool write_to(const std::string& file, const std::string& text) {
    const UniqueFd opened(open(file.c_str(), O_WRONLY | O_CLOEXEC));
    return opened &&
           write(opened.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// A new cgroup below the root of a hierarchy. Where there is none, or it is not this user's to change, the
// test is left out and this converts to false.
class Cgroup {
public:
    enum class Version { first, second };
    // What to write into the new directory; false: no cgroup of this hierarchy will do.
    using SetUp = std::function<bool(const std::string& directory, Version version)>;

    // Of version 2.
    Cgroup()
        : Cgroup("no cgroup2 hierarchy to make a cgroup in",
                 [](const std::string&, Version version) { return version == Version::second; }) {}
    // Of the first hierarchy where it can be set up.
    Cgroup(const char* why_not, const SetUp& set_up) {
        std::ifstream mounts("/proc/self/mounts");
        for (std::string device, place, type, rest; mounts >> device >> place >> type;) {
            std::getline(mounts, rest);
            if (!directory_ && (type == "cgroup2" || type == "cgroup")) {
                make(place, type == "cgroup2" ? Version::second : Version::first, set_up);
            }
        }
        if (!directory_) {
            leave_out(why_not);
        }
    }
    ~Cgroup() {
        if (directory_) {
            // Those that were killed are in it until they are gone.
            comes_true([&] { return rmdir(path_.c_str()) == 0; });
        }
    }
    Cgroup(const Cgroup&) = delete;
    Cgroup& operator=(const Cgroup&) = delete;
    explicit operator bool() const noexcept { return static_cast<bool>(directory_); }

    [[nodiscard]] int fd() const noexcept { return directory_.get(); }
    [[nodiscard]] Version version() const noexcept { return version_; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string name() const { return path_.substr(path_.rfind('/') + 1); }
    bool take(pid_t process) const {
        return write_to(path_ + "/cgroup.procs", std::to_string(process));
    }
    // To the ordinary user; false: only root can.
    [[nodiscard]] bool give_away() const {
        constexpr uid_t nobody = 65534;
        const std::string processes = path_ + "/cgroup.procs";
        return geteuid() == 0 && chown(path_.c_str(), nobody, nobody) == 0 &&
               chown(processes.c_str(), nobody, nobody) == 0;
    }
    // Of version 2: waits until nothing runs in it or below it.
    [[nodiscard]] bool becomes_empty() const {
        return comes_true(
            [&] { return read_file(path_ + "/cgroup.events").starts_with("populated 0"); });
    }

private:
    void make(const std::string& place, Version version, const SetUp& set_up) {
        constexpr long magic_of_first = 0x27e0eb;
        constexpr long magic_of_second = 0x63677270;
        struct statfs about {};
        // What is mounted there may be hidden by another mount.
        if (statfs(place.c_str(), &about) < 0 ||
            about.f_type != (version == Version::first ? magic_of_first : magic_of_second)) {
            return;
        }
        std::string made = place + "/syncspawn-test-" + std::to_string(getpid()) + "-XXXXXX";
        if (mkdtemp(made.data()) == nullptr) {
            return;
        }
        chmod(made.c_str(), 0755);  // as mkdir(1) makes it: to be seen by all users
        if (!set_up(made, version)) {
            rmdir(made.c_str());
            return;
        }
        path_ = made;
        version_ = version;
        directory_ = UniqueFd(open(made.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    }

    std::string path_;
    UniqueFd directory_;
    Version version_ = Version::second;
};

}  // namespace syncspawn::testing
