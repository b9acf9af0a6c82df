#include "option_names.hpp"

#include <algorithm>

namespace syncspawn::tools {

std::vector<OptionName> names_in(const std::vector<Option>& options) {
    constexpr std::string_view negatable = "--[no-]";
    std::vector<OptionName> names;
    for (const Option& option : options) {
        for (std::string_view rest = option.names; !rest.empty();) {
            const std::string_view name = rest.substr(0, rest.find(", "));
            rest.remove_prefix(std::min(rest.size(), name.size() + 2));
            if (name.starts_with(negatable)) {
                const std::string stem(name.substr(negatable.size()));
                names.push_back({"--" + stem, &option, false});
                names.push_back({"--no-" + stem, &option, true});
            } else {
                names.push_back({std::string(name), &option, false});
            }
        }
    }
    return names;
}

}  // namespace syncspawn::tools
