#pragma once

// The children that share this process's memory until they execute their programs, and the flag of that memory which a
// change of credentials clears ("dumpable": prctl(2), PR_SET_DUMPABLE). The kernel does so lest somebody who may trace
// the child read what it has in its memory; and while a child is in this process's memory, that holds for this process.
// So the flag is put back when the last such child has left the memory, whichever it was that cleared it.

#include <syncspawn/launcher/child_side.hpp>

namespace syncspawn::detail {

// One child comes to share the memory: before its start.
void enter_memory(Credentials credentials) noexcept;
// It has left it, or did not come to be.
void leave_memory() noexcept;

}  // namespace syncspawn::detail
