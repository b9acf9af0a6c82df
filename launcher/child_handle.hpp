#pragma once

#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <initializer_list>
#include <optional>
#include <utility>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/exit_status.hpp>
#include <syncspawn/launcher/spawn_options.hpp>

namespace syncspawn::detail {

// Between two looks at what nothing tells of.
inline constexpr auto look_every = std::chrono::milliseconds(2);

// A child that was not reaped yet, so its pid names nothing else, and its pidfd where the kernel has
// one. Does not kill or reap by itself. Belongs to the process that made it: after a fork the copy has
// a handle, too, but no such child.
class ChildHandle {
public:
    ChildHandle() noexcept = default;
    ChildHandle(pid_t pid, UniqueFd pidfd, KillScope scope) noexcept
        : pid_(pid), pidfd_(std::move(pidfd)), scope_(scope) {}

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }
    [[nodiscard]] UniqueFd take_pidfd() noexcept { return std::move(pidfd_); }
    [[nodiscard]] const std::optional<ExitStatus>& status() const noexcept { return status_; }

    // Whether it is a child of the process that asks.
    [[nodiscard]] bool is_ours() const noexcept { return owner_ == getpid(); }

    // Whether it has ended by the deadline (none: whenever). Does not reap.
    bool wait_for_end(const Deadline* deadline) const;
    // Waits and reaps. Again: the same status.
    ExitStatus reap();
    // Both: 0 or the errno. A signal to what has ended is none, and no error.
    int send(int signal) const noexcept;
    int send_to_scope(int signal) const noexcept;
    // SIGKILL to the kill scope, and reaps. The errno if that is refused: then it runs on.
    int end_now();
    // Of one that may not be killed: nobody signals or waits for it any more.
    void give_up() noexcept { status_ = ExitStatus::unknown(); }
    // SIGTERM to the kill scope; what is left after the grace is killed as above.
    int end_within(std::chrono::nanoseconds grace);

private:
    pid_t pid_ = -1;
    pid_t owner_ = getpid();
    UniqueFd pidfd_;
    KillScope scope_ = KillScope::process;
    std::optional<ExitStatus> status_;
};

// So long from now; what is too long for a Deadline is its last one.
Deadline after(std::chrono::nanoseconds duration);

// What to wait for. Negative descriptors are passed over.
inline pollfd readable(int fd) noexcept { return {fd, POLLIN, 0}; }
inline pollfd hung_up(int fd) noexcept { return {fd, 0, 0}; }

// Waits until one of these is so; returns its index, or -1 at the deadline. EINTR does not end it.
int wait_for_any(std::initializer_list<pollfd> events, const Deadline* deadline);

}  // namespace syncspawn::detail
