#pragma once

#include <string>
#include <vector>

#include <syncspawn/launcher.hpp>

namespace syncspawn::tools {

// A command that one side runs while the other waits.
struct Hook {
    WhichSide side = WhichSide::parent;
    std::string command{};  // for /bin/sh -c
};

// --parent-hook and --child-hook, in the order given.
struct HookSettings {
    std::vector<Hook> hooks{};
    std::string first_option{};

    [[nodiscard]] bool is_used() const { return !hooks.empty(); }
};

}  // namespace syncspawn::tools
