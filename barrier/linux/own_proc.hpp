#pragma once

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "proc_status.hpp"

namespace syncspawn::detail {

// Whether the /proc at hand numbers processes as this one does. In another pid namespace than the one
// that /proc was mounted in, a number there means some other process. This process may have the same
// number in both, so NSpid is asked too: one number for each namespace from that of /proc inwards.
inline bool proc_is_of_this_pid_namespace() {
    char text[32] = {};
    if (readlink("/proc/self", text, sizeof text - 1) <= 0 ||
        std::strtol(text, nullptr, 10) != getpid()) {
        return false;
    }
    // Before Linux 4.1 there is none.
    return proc_status("self", "NSpid:").find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace syncspawn::detail
