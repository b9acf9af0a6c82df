#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace syncspawn::tools {

// The values of options. All throw std::invalid_argument, which says what would be right.

// A whole number from `least` to `most`, decimal.
std::int64_t parse_whole_number(const std::string& text, std::int64_t least, std::int64_t most);

// Bytes: "4096", "512K", "2G", "2GiB"; the units K, M, G and T are 1024 times the one before.
std::uint64_t parse_size(const std::string& text);

// A user or group id, as a number.
std::uint32_t parse_id(const std::string& text);

// A descriptor that this process has open.
int parse_open_descriptor(const std::string& text);

// A mode in octal, up to 07777.
mode_t parse_mode(const std::string& text);

}  // namespace syncspawn::tools
