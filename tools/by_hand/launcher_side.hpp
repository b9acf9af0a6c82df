#pragma once

#include <syncspawn/launcher/step.hpp>

namespace syncspawn::tools {

// What this process does to itself before the child exists: the child inherits it. So these are for a program that
// launches once, from its only thread.

// Joins a user namespace: only from within may it make the others, and join a pid namespace that belongs to it.
Step join_user_namespace(int descriptor);

// It has no supplementary groups any more.
Step clear_groups();

// It is killed when its own parent ends, or has ended since this call.
Step die_with_own_parent();

// The child joins a network namespace that belongs to the launcher's user namespace, not to its own: so this process
// joins it for as long as it takes to start the child.
Step be_born_in_network(const std::string& path);

}  // namespace syncspawn::tools
