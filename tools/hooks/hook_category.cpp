#include "hook_category.hpp"

#include <sys/wait.h>

#include <syncspawn/launcher.hpp>

namespace syncspawn::tools {

const HookCategory hook_category;

std::string HookCategory::message(int status) const {
    return (WIFSIGNALED(status) ? ExitStatus::killed(WTERMSIG(status), WCOREDUMP(status))
                                : ExitStatus::exited(WEXITSTATUS(status)))
        .to_string();
}

}  // namespace syncspawn::tools
