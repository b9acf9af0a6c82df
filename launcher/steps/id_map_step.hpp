#pragma once

#include <syncspawn/launcher/steps/id_maps.hpp>

namespace syncspawn::steps {

// Throws std::invalid_argument for what the kernel can only refuse, by an EINVAL without a word.
void require_sound(const IdMaps& maps);

// A step of which the child's later parts find done what its parent's part does.
Step before_what_follows(ParentPart write);

// A map can be written once. `file` is "/uid_map" or "/gid_map".
bool is_written(pid_t child, const char* file) noexcept;
constexpr const char* is_written_already =
    "a map is written already: one step of id maps is all there can be";

}  // namespace syncspawn::steps
