#pragma once

#include <sys/types.h>

#include <syncspawn/sandbox/enforcement.hpp>
#include <syncspawn/sandbox/policy.hpp>

#include "decision.hpp"

namespace syncspawn::sandbox {

// What the kernel says of a process that should be held so.
Enforcement read_back(pid_t process, const Policy& policy, const Decisions& decisions);

}  // namespace syncspawn::sandbox
