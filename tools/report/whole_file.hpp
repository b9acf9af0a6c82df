#pragma once

#include <string>

namespace syncspawn::tools {

// Writes a file that others see as a whole or not at all: it replaces the old one once it is complete. What is
// no regular file, a device or a FIFO, is written to. Throws std::system_error.
void write_whole_file(const std::string& path, const std::string& text);

}  // namespace syncspawn::tools
