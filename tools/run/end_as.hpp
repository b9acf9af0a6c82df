#pragma once

#include <syncspawn/launcher.hpp>

namespace syncspawn::tools {

// Ends this process by the signal that ended the program; else returns what to exit with.
int end_as(const ExitStatus& status);

// Ends this process as the signal does by default, without a core of its own. Returns what a shell
// would say of that, for where the kernel lets the process live: the first of a pid namespace.
int die_of(int signal);

}  // namespace syncspawn::tools
