#pragma once

#include "launcher/sandbox/child/probe.hpp"

namespace syncspawn::sandbox {

// What the kernel says to a child of this process that tries it all. Throws std::system_error if there can be
// no such child.
Findings probe_in_child(ProbeWay way);

}  // namespace syncspawn::sandbox
