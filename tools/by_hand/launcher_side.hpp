#pragma once

#include <syncspawn/launcher/step.hpp>

namespace syncspawn::tools {

// What this process does to itself before the child exists: the child inherits it. So these are for a program that
// launches once, from its only thread.

// It has no supplementary groups any more.
Step clear_groups();

// It is killed when its own parent ends, or has ended since this program began.
Step die_with_own_parent();

}  // namespace syncspawn::tools
