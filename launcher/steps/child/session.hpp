#pragma once

#include <system_error>

#include <syncspawn/launcher/step.hpp>

namespace syncspawn::steps {

std::error_code lead_session(ChildSide& side) noexcept;
// Of the session that this process leads.
std::error_code take_terminal(ChildSide& side, int terminal) noexcept;

}  // namespace syncspawn::steps
