#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace syncspawn::sandbox {

// What a name stands for on the processor that this program was compiled for.
struct NamedCall {
    bool is_known = false;
    std::optional<std::uint32_t> number{};  // nothing if this processor does not have it
};
NamedCall find_call(const std::string& name);

// The known name that is most like it.
std::string nearest_call(const std::string& name);

// AUDIT_ARCH_...: seccomp_data::arch of a call that is not foreign.
std::uint32_t native_architecture();

}  // namespace syncspawn::sandbox
