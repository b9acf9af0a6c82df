#include "mount_table.hpp"

#include <sstream>

namespace syncspawn::sandbox {
namespace {

bool is_octal(std::string_view digits) noexcept {
    return digits.size() == 3 && digits.find_first_not_of("01234567") == std::string_view::npos;
}

// Blanks, newlines and backslashes are written as \040 and so on.
std::string unescaped(std::string_view text) {
    std::string plain;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\' && is_octal(text.substr(at + 1, 3))) {
            plain += static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 +
                                       (text[at + 3] - '0'));
            at += 3;
        } else {
            plain += text[at];
        }
    }
    return plain;
}

}  // namespace

std::vector<MountPoint> mounts_of(std::string_view type, std::string_view mountinfo) {
    const std::string wanted = " - " + std::string(type) + " ";
    std::vector<MountPoint> mounts;
    std::istringstream lines{std::string(mountinfo)};
    for (std::string line; std::getline(lines, line);) {
        const std::size_t separator = line.find(" - ");
        if (separator == std::string::npos ||
            !std::string_view(line).substr(separator).starts_with(wanted)) {
            continue;
        }
        std::istringstream fields(line);
        std::string id;
        std::string parent;
        std::string device;
        std::string root;
        std::string point;
        if (fields >> id >> parent >> device >> root >> point) {
            mounts.push_back({unescaped(root), unescaped(point)});
        }
    }
    return mounts;
}

}  // namespace syncspawn::sandbox
