#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>

// Sees every system call of a process, and of all that it starts, before the kernel makes it, and may kill the caller
// there, or answer in the kernel's place. By seccomp's user notifications (Linux 5.5): unlike a tracer they do not show, so a launch goes the way that
// it goes without.

namespace syncspawn::testing {

struct SeenCall {
    pid_t thread;
    long number;
    const std::uint64_t* arguments;  // six
};

// What becomes of a call.
class Sentence {
public:
    static constexpr Sentence passes() noexcept { return {}; }
    static constexpr Sentence dies() noexcept { return Sentence(-1); }
    // The kernel does not make it, and the caller gets this errno.
    static constexpr Sentence fails(int error) noexcept { return Sentence(error); }

    [[nodiscard]] constexpr bool is_death() const noexcept { return error_ < 0; }
    [[nodiscard]] constexpr int error() const noexcept { return error_; }

private:
    constexpr Sentence() noexcept = default;
    constexpr explicit Sentence(int error) noexcept : error_(error) {}

    int error_ = 0;
};

struct Subject {
    std::function<void()> prepare;  // not supervised
    std::function<void()> work;
};

// Forks a process that prepares itself, does the work and exits with status_reached. Asks about each call of the work,
// and of all that comes of it, until no process of it is left. The process is a subreaper meanwhile, and must have no other
// child. The process has no_new_privs only where it takes that. The wait status of the forked one. None: nothing can be supervised here. A process that is left blocked for
// ever is for the watchdog of the whole program.
std::optional<int> supervise(const Subject& subject,
                             const std::function<Sentence(const SeenCall&)>& judge);

}  // namespace syncspawn::testing
