#pragma once

#include <fstream>
#include <string>
#include <string_view>

namespace syncspawn::detail {

// What stands behind `key` ("NSpid:") in the status of a process or thread ("self", "123"), without the
// blanks in front. Empty if /proc does not say.
inline std::string proc_status(const std::string& process, std::string_view key) {
    std::ifstream status("/proc/" + process + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with(key)) {
            const std::size_t value = line.find_first_not_of(" \t", key.size());
            return value == std::string::npos ? "" : line.substr(value);
        }
    }
    return {};
}

}  // namespace syncspawn::detail
