#pragma once

#include <sys/types.h>

#include <array>
#include <string_view>
#include <system_error>

#include <syncspawn/launcher/step.hpp>

namespace syncspawn::sandbox {

// The caller's own namespace, which is nothing to change. The file is that of the child.
struct OuterNamespace {
    const char* file = nullptr;  // "/proc/self/ns/..."
    dev_t device = 0;
    ino_t number = 0;
    const char* complaint = nullptr;  // if the child is in it
};
std::error_code require_own_namespace(ChildSide& side, const OuterNamespace& outer) noexcept;

// What is written, each by one call.
using ShortText = std::array<char, 128>;
struct OwnIdMaps {
    ShortText users{};
    ShortText groups{};
};
std::error_code write_own_maps(ChildSide& side, const OwnIdMaps& maps) noexcept;

// SYS_sethostname or SYS_setdomainname.
struct NameToSet {
    long call = 0;
    const char* call_name = nullptr;
    ShortText name{};
};
std::error_code set_name(ChildSide& side, const OuterNamespace& outer,
                         const NameToSet& name) noexcept;

enum class TimeEntry { by_execve, at_once };
std::error_code set_time_offsets(ChildSide& side, const ShortText& offsets,
                                 TimeEntry entry) noexcept;

std::error_code leave_cgroup_namespace(ChildSide& side) noexcept;

std::error_code forbid_user_namespaces(ChildSide& side, const OuterNamespace& outer) noexcept;

}  // namespace syncspawn::sandbox
