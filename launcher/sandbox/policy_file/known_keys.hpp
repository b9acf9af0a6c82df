#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace syncspawn::sandbox {

// What to say about a key that is none of those that are known where it stands: the nearest of these, the
// table that it belongs to, or else all of these.
std::string advice_on_key(std::string_view key, const std::vector<std::string_view>& known_here);

}  // namespace syncspawn::sandbox
