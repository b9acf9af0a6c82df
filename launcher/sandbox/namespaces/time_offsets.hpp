#pragma once

#include <syncspawn/sandbox/namespaces.hpp>

#include "launcher/sandbox/child/namespaces.hpp"

namespace syncspawn::sandbox {

// Whether execve enters the time namespace that unshare(2) has made, as newer kernels have it.
TimeEntry time_entry_here();

Step time_offsets_step(TimeOffsets offsets, TimeEntry entry);

}  // namespace syncspawn::sandbox
