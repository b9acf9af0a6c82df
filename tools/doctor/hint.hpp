#pragma once

#include <string>

#include <syncspawn/launcher/spawn_error.hpp>

namespace syncspawn::tools {

// Why this machine refused that, and what to do about it: "a seccomp filter ...; allow ...". Empty if nothing that is
// found here explains it. It tries what the launch has tried, in children, which takes some milliseconds: call it
// after a failure alone.
std::string hint_after(const SpawnError& error);

}  // namespace syncspawn::tools
