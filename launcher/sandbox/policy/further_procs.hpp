#pragma once

#include <string>
#include <vector>

namespace syncspawn::sandbox {

// Where processes outside are to be seen beside /proc: other mounts of its file system, such as that of a chroot.
std::vector<std::string> further_procs();

// Whether what is open is a file of such a file system.
bool is_of_proc(int descriptor) noexcept;

}  // namespace syncspawn::sandbox
