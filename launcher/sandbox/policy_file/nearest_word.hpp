#pragma once

#include <string_view>
#include <vector>

namespace syncspawn::sandbox {

// The one that `word` is probably a slip of; empty if there is none.
std::string_view nearest_word(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace syncspawn::sandbox
