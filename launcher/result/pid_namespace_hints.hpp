#pragma once

#include <syncspawn/launcher/birth.hpp>

namespace syncspawn::detail {

// Why setns(2) into the pid namespace was refused; empty: nothing to say.
const char* hint_for_joining_a_pid_namespace(const Birth& birth, int error);

// fork fails with ENOMEM, too, where it would make a process in a pid namespace whose first one has
// ended: pid_namespaces(7). Empty if the child was to be born where its parent is.
const char* hint_for_birth_without_memory(const Birth& birth);

// A process whose children are to be elsewhere cannot start a thread: clone(2).
const char* hint_for_refused_thread();

}  // namespace syncspawn::detail
