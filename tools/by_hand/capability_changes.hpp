#pragma once

#include <optional>
#include <vector>

#include <syncspawn/sandbox/privileges.hpp>

#include "restrictions.hpp"

namespace syncspawn::tools {

// Whether the child is in a user namespace of its own by then, where it has all capabilities.
enum class UserNamespace { callers, own };

// What --cap-add and --cap-drop make of the capabilities that `manner` begins with. Nothing: they stay as they are.
// Throws UsageError for a name that nobody knows.
[[nodiscard]] std::optional<sandbox::CapabilitySets> capability_sets_of(
    const std::vector<CapabilityChange>& changes, std::optional<Manner> manner,
    UserNamespace where);

}  // namespace syncspawn::tools
