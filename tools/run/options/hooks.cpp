#include "hooks.hpp"

#include <string>

namespace syncspawn::tools {
namespace {

Option row_of(HookSettings& settings, std::string_view name, std::string_view help,
              std::string_view group, WhichSide side) {
    return {name, "CMD", help, group, [&settings, name, side](const Given& given) {
                if (given.value->empty()) {
                    throw UsageError("must not be empty: give it a command for /bin/sh -c");
                }
                if (settings.first_option.empty()) {
                    settings.first_option = name;
                }
                settings.hooks.push_back({side, *given.value});
            }};
}

}  // namespace

void add_hook_options(std::vector<Option>& rows, HookSettings& settings) {
    rows.push_back(row_of(settings, "--parent-hook",
                          "Run CMD by a shell in the caller's world while the child waits", "Hooks",
                          WhichSide::parent));
    rows.push_back(row_of(settings, "--child-hook",
                          "Run CMD by a shell in the child's world while the parent waits", "",
                          WhichSide::child));
}

}  // namespace syncspawn::tools
