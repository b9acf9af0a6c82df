#pragma once

#include <string>
#include <vector>

#include "methods.hpp"

namespace syncspawn::bench {

// Sandboxes of ours, of bubblewrap, and of bare system calls. In the names: `all` is into all namespaces, with a new
// /proc and /dev and the host's tree read-only; `first` is the same without a reaper; `mounts_N` and `binds_N` have so
// many mounts below the host's root, or of their own.
std::vector<Method> sandbox_methods_of(const std::string& program);

}  // namespace syncspawn::bench
