#pragma once

#include <cstddef>
#include <string_view>

namespace syncspawn::sandbox {

// How many characters must be put in, taken out or changed (Levenshtein): how far a slip is from what was meant.
std::size_t edit_distance(std::string_view from, std::string_view to);

}  // namespace syncspawn::sandbox
