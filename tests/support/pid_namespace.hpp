#pragma once

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>

#include <syncspawn/launcher.hpp>

#include "launcher/child/sanitizers.hpp"
#include "support/peer.hpp"

// For tests of children that are born into a pid namespace which is there already.

namespace syncspawn::testing {

// In a peer: it has all privileges there, and over the pid namespaces that it makes.
inline void enter_own_user_namespace() noexcept {
    if (detail::is_thread_sanitized()) {
        leave_out_here("a process of several threads may not enter a user namespace");
    }
    if (unshare(CLONE_NEWUSER) < 0) {
        leave_out_here("this machine forbids new user namespaces");
    }
}

// A peer that is root, or as good as that for pid namespaces of its own.
template <class Body>
Peer peer_that_may_enter(Body body) {
    return Peer([&] {
        if (geteuid() != 0) {
            enter_own_user_namespace();
        }
        body();
    });
}

// In a peer: a pid namespace, which lasts as long as this or the peer.
class PidNamespace {
public:
    PidNamespace() {
        SpawnError error;
        first_ = SyncedSpawner({.program = "cat",
                                .streams = {.input = Stdio::pipe()},
                                .birth = {.namespaces = Namespaces::pid}})
                     .spawn(error);
        if (error) {
            leave_out_here("this machine forbids new pid namespaces");
        }
        const std::string path = "/proc/" + std::to_string(first_.pid()) + "/ns/pid";
        file_ = UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
        link_ = std::filesystem::read_symlink(path);
    }
    [[nodiscard]] int file() const noexcept { return file_.get(); }
    [[nodiscard]] int pidfd() const { return first_.pidfd(); }
    [[nodiscard]] const std::string& link() const noexcept { return link_; }
    // It is gone when all others are, and have been waited for.
    void kill_first() { first_.signal(SIGKILL); }
    void await_end() { (void)first_.wait(); }

private:
    Process first_;
    UniqueFd file_;
    std::string link_;
};

}  // namespace syncspawn::testing
