#include "capability_names.hpp"

#include <sys/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "launcher/sandbox/child/privileges.hpp"

namespace syncspawn::sandbox {
namespace {

constexpr std::string_view prefix = "cap_";

std::optional<int> number_of(std::string_view digits) noexcept {
    int number = 0;
    const char* const end = digits.data() + digits.size();
    const auto [rest, error] = std::from_chars(digits.data(), end, number);
    return error == std::errc() && rest == end && 0 <= number ? std::optional(number)
                                                              : std::nullopt;
}

// In small letters, without the prefix.
std::string stem_of(std::string name) {
    std::transform(name.begin(), name.end(), name.begin(), [](char letter) {
        return static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    });
    return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

}  // namespace

// By halves, for each question is a system call.
int last_capability() noexcept {
    int known = 0;
    for (int unknown = most_capabilities; unknown - known > 1;) {
        const int middle = known + (unknown - known) / 2;
        (prctl(PR_CAPBSET_READ, middle, 0, 0, 0) >= 0 ? known : unknown) = middle;
    }
    return known;
}

int capability_of(const std::string& name) {
    const std::string stem = stem_of(name);
    std::optional<int> number = number_of(stem);
    if (!number) {
        cap_value_t known = 0;
        if (cap_from_name((std::string(prefix) + stem).c_str(), &known) == 0) {
            number = known;
        }
    }
    if (!number || *number >= most_capabilities) {
        throw std::invalid_argument("there is no capability '" + name + "'");
    }
    if (*number > last_capability()) {
        throw std::system_error(EINVAL, std::generic_category(),
                                "this kernel has no capability '" + name + "'");
    }
    return *number;
}

std::string name_of_capability(int capability) {
    const std::unique_ptr<char, int (*)(void*)> name(cap_to_name(capability), cap_free);
    const std::string text = name ? name.get() : "";
    return text.starts_with(prefix) ? text : std::string(prefix) + std::to_string(capability);
}

}  // namespace syncspawn::sandbox
