#pragma once

#include <sys/types.h>

#include <syncspawn/barrier.h>

// What /proc tells the parent of its child.

namespace syncspawn::detail {

enum class Execution { never, done, unknown };

// Whether the child, alive or not yet reaped, has executed a program since its fork: the flag
// PF_FORKNOEXEC, which execve clears before it closes descriptors. Unknown where /proc does not say.
Execution execution_of(pid_t child);

// The same for a child that has left the memory that it shared with this process, after the commit
// and without a failure that it claimed. Mostly a single call that waits for nothing.
Execution execution_after_sharing(pid_t child);

// Its name and its memory are the program's behind this. The kernel tells of an execve a moment earlier.
void await_rest_of_execve(pid_t child) noexcept;

// Whether the kernel drops this signal, at its default action there, because the child is the first
// process of a pid namespace, and neither handles nor awaits it. False where /proc does not tell.
bool is_deaf_to(pid_t child, int signal) noexcept;

// Its first child, which in a reaper is the program. The process itself where /proc does not tell.
pid_t first_child_of(pid_t process) noexcept;

enum class Attachment { never, attached, unknown };

// Whether the program has taken its barrier over: attach makes the descriptors close-on-exec again.
Attachment attachment_of(pid_t child, const syncspawn_barrier& parents_side);

}  // namespace syncspawn::detail
