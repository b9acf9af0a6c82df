#pragma once

#include "launcher/sandbox/child/namespaces.hpp"

namespace syncspawn::sandbox {

enum class OuterKind { uts, user, network };

// That of the calling thread. Throws std::system_error where /proc does not tell.
OuterNamespace outer_namespace(OuterKind kind);

}  // namespace syncspawn::sandbox
