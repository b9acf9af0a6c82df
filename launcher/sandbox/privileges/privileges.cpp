#include <syncspawn/sandbox/privileges.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "capability_names.hpp"
#include "launcher/sandbox/child/privileges.hpp"

namespace syncspawn::sandbox {
namespace {

void require(bool is_met, const char* rule) {
    if (!is_met) {
        throw std::invalid_argument(std::string("capabilities: ") + rule);
    }
}

std::optional<CapabilityBits> bits_of(const std::optional<CapabilityNames>& names,
                                      PlannedCapabilities& planned) {
    if (!names) {
        return std::nullopt;
    }
    CapabilityBits bits = 0;
    for (const std::string& name : *names) {
        const int capability = capability_of(name);
        bits |= CapabilityBits{1} << capability;
        char(&kept)[32] = planned.names[capability];
        name_of_capability(capability).copy(kept, sizeof kept - 1);
    }
    return bits;
}

// Where one of them is not set, the child finds out.
void require_within(const std::optional<CapabilityBits>& part,
                    const std::optional<CapabilityBits>& whole, const char* rule) {
    require(!part || !whole || (*part & ~*whole) == 0, rule);
}

PlannedCapabilities plan(const CapabilitySets& sets) {
    PlannedCapabilities planned{
        .secure_bits = static_cast<unsigned>(sets.secure_bits),
        .may_leave_bounding = sets.without_setpcap == WithoutSetpcap::leave_bounding};
    planned.bounding = bits_of(sets.bounding, planned);
    planned.permitted = bits_of(sets.permitted, planned);
    planned.effective = bits_of(sets.effective, planned);
    planned.inheritable = bits_of(sets.inheritable, planned);
    planned.ambient = bits_of(sets.ambient, planned);
    return planned;
}

}  // namespace

CapabilityNames all_capabilities() {
    CapabilityNames names;
    const int last = last_capability();
    for (int capability = 0; capability <= last; ++capability) {
        names.push_back(name_of_capability(capability));
    }
    return names;
}

CapabilitySets only_capabilities(const CapabilityNames& names) {
    return {.bounding = names,
            .permitted = names,
            .effective = names,
            .inheritable = names,
            .ambient = names};
}

Step capabilities(const CapabilitySets& sets) {
    const PlannedCapabilities planned = plan(sets);
    require(planned.bounding || planned.permitted || planned.effective || planned.inheritable ||
                planned.ambient,
            "no set is set");
    require_within(planned.effective, planned.permitted, "an effective one is not permitted");
    require_within(planned.ambient, planned.permitted, "an ambient one is not permitted");
    require_within(planned.ambient, planned.inheritable, "an ambient one is not inheritable");
    return {.name = "capabilities", .child = shared_memory([planned](ChildSide& side) {
                                        return take_capabilities(side, planned);
                                    })};
}

Step secure_bits(SecureBits bits) {
    require(bits != SecureBits::none, "no secure bit is set");
    return {.name = "secure bits", .child = shared_memory([bits](ChildSide& side) {
                                       return add_secure_bits(side, static_cast<unsigned>(bits));
                                   })};
}

Step new_session_keyring(WithoutKeyrings without) {
    const bool may_be_refused = without == WithoutKeyrings::go_on;
    return {.name = "session keyring", .child = shared_memory([may_be_refused](ChildSide& side) {
                                           return join_new_session_keyring(side, may_be_refused);
                                       })};
}

}  // namespace syncspawn::sandbox
