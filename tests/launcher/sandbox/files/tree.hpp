#pragma once

#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/sandbox/mounts.hpp>
#include <syncspawn/steps.hpp>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/shared_memory.hpp"

// What a program sees that is launched into a tree of mounts.

namespace syncspawn::testing {

using sandbox::FileOperation;
using sandbox::Mount;
using sandbox::MountOptions;
using Operations = std::vector<FileOperation>;

// With SYNCSPAWN_TEST_CALLS=older in the environment, this process and its children find a kernel without the newer calls.
inline const bool has_older_calls_alone = [] {
    const char* const calls = std::getenv("SYNCSPAWN_TEST_CALLS");
    if (calls == nullptr || std::string(calls) != "older") {
        return false;
    }
    refuse_system_calls({SYS_openat2, SYS_open_tree, SYS_move_mount, SYS_mount_setattr, SYS_fsopen,
                         SYS_fsconfig, SYS_fsmount},
                        ENOSYS);
    return true;
}();

// An error's text with the name of a newer call: the call that takes its place there is mount(2).
inline std::string by_the_calls_here(std::string text) {
    for (const std::string newer :
         {"move_mount", "mount_setattr", "fsmount", "fsconfig", "open_tree"}) {
        const std::size_t at = text.find(newer);
        if (has_older_calls_alone && at != std::string::npos) {
            text.replace(at, newer.size(), "mount");
        }
    }
    return text;
}

// Whether the child is in a user namespace of its own.
enum class Privileges { of_user_namespace, of_root };

inline std::vector<Privileges> all_privileges() {
    return geteuid() == 0 ? std::vector{Privileges::of_user_namespace, Privileges::of_root}
                          : std::vector{Privileges::of_user_namespace};
}

struct Setting {
    Privileges privileges = Privileges::of_user_namespace;
    StartMethod method = StartMethod::automatic;
    Namespaces more = Namespaces::pid;
};

inline SyncedSpawner spawner_of(std::string text, const Operations& operations,
                                MountOptions options = {}, Setting setting = {}) {
    SpawnOptions program = shell(std::move(text));
    program.birth = {.method = setting.method, .namespaces = Namespaces::mount | setting.more};
    program.streams.output = Stdio::pipe();
    program.streams.error = Stdio::same_as_output();
    const bool has_user = setting.privileges == Privileges::of_user_namespace;
    if (has_user) {
        program.birth.namespaces = program.birth.namespaces | Namespaces::user;
    }
    SyncedSpawner spawner(std::move(program));
    if (has_user) {
        spawner.step(steps::map_root());
    }
    spawner.step(sandbox::mounts(operations, options));
    return spawner;
}

// What the shell writes, or the error of the launch.
inline std::string seen_by(const SyncedSpawner& spawner) {
    SpawnError error;
    Process process = spawner.spawn(error);
    if (error) {
        return error.what();
    }
    const std::string text = read_all(process.standard_output());
    const ExitStatus status = process.wait();
    return status.success() ? text : text + "[" + status.to_string() + "]";
}

inline std::string seen(std::string text, const Operations& operations, MountOptions options = {},
                        Setting setting = {}) {
    return seen_by(spawner_of(std::move(text), operations, options, setting));
}

// What a shell and its tools need, and then these.
inline Operations with_programs(const Operations& more) {
    using sandbox::MissingSource;
    Operations all{Mount::bind("/usr", "/usr")};
    for (const char* const path : {"/bin", "/lib", "/lib32", "/lib64"}) {
        all.push_back(Mount::bind(path, path, MissingSource::skip));
    }
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

// The host's tree, read-only, and then these.
inline Operations on_the_host(const Operations& more) {
    Operations all{Mount::bind("/", "/")};
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

inline bool are_user_namespaces_forbidden() {
    return contains(seen("true", on_the_host({})), "start the child");
}

#define SKIP_WITHOUT_USER_NAMESPACES()                     \
    if (are_user_namespaces_forbidden()) {                 \
        SKIP_TEST("this machine forbids user namespaces"); \
    }

// A command that prints the attributes of the mount there: "ro,nosuid,nodev,relatime".
inline std::string attributes_of(const std::string& path) {
    return "while read a b c d e f g; do [ \"$e\" = " + path +
           " ] && x=$f; done </proc/self/mountinfo; echo $x; ";
}

// Checks at its end that the host's mounts and a directory of it are what they were.
class HostStays {
public:
    explicit HostStays(std::string directory) : directory_(std::move(directory)) {}
    HostStays(const HostStays&) = delete;
    HostStays& operator=(const HostStays&) = delete;
    ~HostStays() {
        CHECK(read_file("/proc/self/mountinfo") == mounts_);
        CHECK(listing() == files_);
    }

private:
    [[nodiscard]] std::string listing() const {
        return output_of(shell("ls -lAR --time-style=full-iso " + directory_));
    }
    std::string directory_;
    std::string mounts_ = read_file("/proc/self/mountinfo");
    std::string files_ = listing();
};

}  // namespace syncspawn::testing
