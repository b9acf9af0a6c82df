#pragma once

#include <string>

#include <syncspawn/launcher/spawn_error.hpp>
#include <syncspawn/launcher/spawn_options.hpp>

namespace syncspawn::tools {

// Why this machine refused that, and what to do about it: "a seccomp filter ...; allow ...". Empty if nothing that is
// found here explains it. It tries what the launch has tried, in children, which takes some milliseconds: call it
// after a failure alone.
std::string hint_after(const SpawnError& error, const SpawnOptions& options);

// What error.what() says, with that hint, if there is one, in place of the error's own.
std::string explanation_of(const SpawnError& error, const SpawnOptions& options);

}  // namespace syncspawn::tools
