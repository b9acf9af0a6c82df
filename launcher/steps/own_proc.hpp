#pragma once

#include <cerrno>
#include <system_error>

#include <syncspawn/launcher/parent_side.hpp>

#include "barrier/linux/proc.hpp"

namespace syncspawn::steps {

// In another /proc than that of this pid namespace, the child's number is that of some other process.
inline std::error_code require_own_proc(ParentSide& side) {
    errno = 0;
    if (detail::proc::is_of_this_pid_namespace()) {
        return {};
    }
    return errno == 0 || errno == ENOENT
               ? side.fail(ENOENT, "/proc is not there or of another pid namespace")
               : side.fail("/proc/self/status");
}

}  // namespace syncspawn::steps
