#pragma once

#include <cstdint>
#include <optional>
#include <system_error>

#include <syncspawn/launcher/step.hpp>

namespace syncspawn::sandbox {

// A bit for each capability.
using CapabilityBits = std::uint64_t;
constexpr int most_capabilities = 64;

// The words of CapabilitySets, for the kernel.
struct PlannedCapabilities {
    std::optional<CapabilityBits> bounding{};
    std::optional<CapabilityBits> permitted{};
    std::optional<CapabilityBits> effective{};
    std::optional<CapabilityBits> inheritable{};
    std::optional<CapabilityBits> ambient{};
    unsigned secure_bits = 0;
    bool may_leave_bounding = false;
    char names[most_capabilities][32] = {};  // of those above: what an error says
};

std::error_code take_capabilities(ChildSide& side, const PlannedCapabilities& planned) noexcept;
std::error_code add_secure_bits(ChildSide& side, unsigned bits) noexcept;
std::error_code join_new_session_keyring(ChildSide& side, bool may_be_refused) noexcept;

}  // namespace syncspawn::sandbox
