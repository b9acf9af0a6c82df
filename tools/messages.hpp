#pragma once

#include <string>

namespace syncspawn::tools {

// The text on one line of a terminal, whatever a name in it contains: control bytes as \xHH.
std::string printable(const std::string& text);

// One such line on stderr, after "syncspawn: " or another speaker's name.
void complain(const std::string& message, const std::string& speaker = "syncspawn");

// On stdout. Returns what to exit with.
int print(const std::string& text);

}  // namespace syncspawn::tools
