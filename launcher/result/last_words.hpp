#pragma once

#include <string>
#include <string_view>

namespace syncspawn::detail {

// The end of what is in a pipe right now, without its beginning where that is too long. What is in it is read.
std::string last_words_in(int pipe);

// At most so much of a text, from its end, as a SpawnError keeps.
std::string_view last_of(std::string_view text) noexcept;

// Its last lines for a message of one line, and for any terminal: `"cannot bind: address in use", "giving up"`.
std::string quoted_lines_of(std::string_view words);

}  // namespace syncspawn::detail
