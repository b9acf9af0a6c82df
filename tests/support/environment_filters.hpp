#pragma once

namespace syncspawn::testing {

// For environment.cpp: to those who have made a user namespace its capabilities are worth nothing.
void strip_user_namespaces();

}  // namespace syncspawn::testing
