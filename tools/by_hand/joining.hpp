#pragma once

#include <string>

#include <syncspawn/launcher/step.hpp>

namespace syncspawn::tools {

// Namespaces that are there already. All of these throw UsageError for what is none.

// This process joins a user namespace before the child exists: only from within may it make the others, and join a pid
// namespace that belongs to it. For a program that launches once, from its only thread.
Step join_user_namespace(int descriptor);

// The child joins it, behind everything else.
Step join_second_user_namespace(int descriptor);

// The child joins it.
Step join_network(const std::string& path);

// The same where the child, in a user namespace of its own, may not: this process joins it for as long as it takes to
// start the child.
Step be_born_in_network(const std::string& path);

}  // namespace syncspawn::tools
