#pragma once

#include <sys/types.h>

#include <system_error>

#include <syncspawn/launcher/step.hpp>

namespace syncspawn::steps {

void set_umask(mode_t mask) noexcept;
std::error_code renounce_new_privileges(ChildSide& side) noexcept;
// In a last part: the launch has settled the signal.
std::error_code replace_death_signal(ChildSide& side, int signal) noexcept;

}  // namespace syncspawn::steps
