#pragma once

#include <syncspawn/launcher/steps/id_maps.hpp>

namespace syncspawn::steps {

// Throws std::invalid_argument for what the kernel can only refuse, by an EINVAL without a word.
void require_sound(const IdMaps& maps);

// A step of which the child's later parts find done what its parent's part does.
Step before_what_follows(ParentPart write);

}  // namespace syncspawn::steps
