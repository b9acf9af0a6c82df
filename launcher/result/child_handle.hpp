#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <utility>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/exit_status.hpp>
#include <syncspawn/launcher/resource_usage.hpp>
#include <syncspawn/launcher/spawn_options.hpp>

#include "barrier/linux/own_pid.hpp"
#include "barrier/linux/waiting.hpp"
#include "kill_reach.hpp"
#include "launcher/reaper/orders.hpp"

namespace syncspawn::detail {

// A child that was not reaped yet, so its pid names nothing else, and its pidfd where the kernel has
// one. Does not kill or reap by itself. Belongs to the process that made it: after a fork the copy has
// a handle, too, but no such child.
class ChildHandle {
public:
    ChildHandle() noexcept = default;
    // With a reaper, the child is that, and tells on a pipe how the program ended.
    ChildHandle(pid_t pid, UniqueFd pidfd, KillReach reach, UniqueFd status_pipe = {}) noexcept
        : pid_(pid),
          pidfd_(std::move(pidfd)),
          reach_(std::move(reach)),
          status_pipe_(std::move(status_pipe)) {}

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    // Then the program is a child of this child.
    [[nodiscard]] bool has_reaper() const noexcept { return static_cast<bool>(status_pipe_); }
    [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }
    [[nodiscard]] UniqueFd take_pidfd() noexcept { return std::move(pidfd_); }
    [[nodiscard]] KillScope scope() const noexcept { return reach_.scope(); }
    [[nodiscard]] const std::optional<ExitStatus>& status() const noexcept { return status_; }

    // After reap(), unless somebody else was faster.
    [[nodiscard]] const std::optional<ResourceUsage>& usage() const noexcept { return usage_; }

    // Whether it is a child of the process that asks.
    [[nodiscard]] bool is_ours() const noexcept { return owner_ == own_pid(); }

    // Whether it has ended by the deadline (none: whenever). Does not reap.
    bool wait_for_end(const Deadline* deadline) const;
    // Waits and reaps. Again: the same status.
    ExitStatus reap();
    // Both: 0 or the errno. A signal to what has ended is none, and no error.
    int send(int signal) const noexcept;
    int send_to_scope(int signal) const noexcept;
    // Carries them out (StopActions, by Stopping), and reaps if it has ended. The errno of the last signal if
    // that was refused and it runs on.
    int stop(std::span<const StopAction> actions);

private:
    [[nodiscard]] int send_to_child(int signal) const noexcept;
    [[nodiscard]] int send_through_reaper(Order order) const noexcept;
    [[nodiscard]] bool send_to_group(int signal) const noexcept;

    pid_t pid_ = -1;
    pid_t owner_ = own_pid();
    UniqueFd pidfd_;
    KillReach reach_;
    UniqueFd status_pipe_;
    std::optional<ExitStatus> status_;
    std::optional<ResourceUsage> usage_;
};

}  // namespace syncspawn::detail
