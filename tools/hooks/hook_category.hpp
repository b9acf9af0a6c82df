#pragma once

#include <system_error>

namespace syncspawn::tools {

// How a hook ended, if not well: the value is what waitpid(2) says.
class HookCategory : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "hook"; }
    // "exited with code 3", "killed by SIGKILL".
    [[nodiscard]] std::string message(int status) const override;
};

// One object, known on both sides of a launch.
extern const HookCategory hook_category;

}  // namespace syncspawn::tools
