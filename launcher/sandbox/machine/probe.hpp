#pragma once

#include "launcher/sandbox/child/probe.hpp"

namespace syncspawn::sandbox {

// What the kernel says to a child of this process that tries it all. Throws std::system_error if there can be
// no such child.
Findings probe_in_child(ProbeWay way);

// Whether a seccomp filter kills who makes these calls: a child makes them. Throws as that does.
bool is_killed_by_filter(void (*calls)() noexcept);

}  // namespace syncspawn::sandbox
