#pragma once

#include <sys/types.h>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/spawn_options.hpp>

namespace syncspawn::detail {

// What the signals that end a launch reach beside the child itself: KillScope, and the directory of the
// cgroup if it is that. Nothing at all unless made from options.
class KillReach {
public:
    KillReach() noexcept = default;
    // Throws std::system_error: there is no cgroup where the scope takes one, no room for another descriptor, this
    // process is itself in the cgroup, or what is in it cannot be seen.
    KillReach(KillScope scope, int cgroup);

    [[nodiscard]] KillScope scope() const noexcept { return scope_; }
    enum class Reached {
        none,
        others,  // all but the child, as far as they may be signalled
        all,     // by SIGKILL, the child as well
    };
    // Sends to all in the cgroup but the child. Waits for nothing.
    Reached send_beside(pid_t child, int signal) const noexcept;

private:
    KillScope scope_ = KillScope::process;
    UniqueFd cgroup_;
};

}  // namespace syncspawn::detail
