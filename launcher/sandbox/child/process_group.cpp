#include "process_group.hpp"

#include <unistd.h>

namespace syncspawn::sandbox {

std::error_code lead_process_group(ChildSide& side) noexcept {
    // The leader of a session is refused.
    return getpgid(0) == getpid() || setpgid(0, 0) == 0 ? side.done() : side.fail("setpgid");
}

}  // namespace syncspawn::sandbox
