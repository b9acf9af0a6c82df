#pragma once

#include <cstddef>
#include <string_view>

namespace syncspawn::tools {

// How many bytes the first character of the text has; 0 if those there are not UTF-8. Overlong forms,
// surrogates and what is beyond U+10FFFF are not.
std::size_t utf8_length(std::string_view text);

}  // namespace syncspawn::tools
