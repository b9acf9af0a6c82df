#include "descriptors.hpp"

#include <unistd.h>

#include <limits>
#include <string>

#include "tools/command_line/values.hpp"

namespace syncspawn::tools {
namespace {

// "N" or "N:M".
PassedDescriptor parse_kept(const std::string& text) {
    const std::size_t colon = text.find(':');
    const int from = parse_open_descriptor(text.substr(0, colon));
    if (colon == std::string::npos) {
        if (from <= STDERR_FILENO) {
            throw UsageError("the standard streams 0, 1 and 2 are always kept");
        }
        return {.from = from, .to = from};
    }
    constexpr int most = std::numeric_limits<int>::max();
    const std::string target = text.substr(colon + 1);
    const auto to = static_cast<int>(parse_whole_number(target, 0, most));
    if (to <= STDERR_FILENO) {
        throw UsageError(
            "the program has its standard streams as 0, 1 and 2, so M is 3 or more",
            "for another standard stream redirect ours: " + target + ">&" + std::to_string(from));
    }
    return {.from = from, .to = to};
}

}  // namespace

void add_descriptor_options(std::vector<Option>& rows, DescriptorSettings& settings) {
    rows.push_back(
        {"--keep-fd", "N[:M]", "Let PROGRAM have descriptor N (as M), whatever else is closed", "",
         [&](const Given& given) {
             const PassedDescriptor one = parse_kept(*given.value);
             std::erase_if(settings.kept,
                           [&](const PassedDescriptor& other) { return other.to == one.to; });
             settings.kept.push_back(one);
         }});
}

}  // namespace syncspawn::tools
