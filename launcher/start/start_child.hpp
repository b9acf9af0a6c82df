#pragma once

#include <sys/types.h>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/spawn_options.hpp>

#include "launcher/child/known_call.hpp"
#include "launcher/child/plan.hpp"
#include "parked_thread.hpp"

// The seam between a launch and the way its child comes to be. There is one file for each way.

namespace syncspawn::detail {

struct StartedChild {
    pid_t pid = -1;
    UniqueFd pidfd{};            // none before Linux 5.3
    int error = 0;               // errno, if there is no child
    const char* call = nullptr;  // that failed
    KnownCall kind = KnownCall::birth;
    Loan loan{};               // with shared memory: what the child lives on until it leaves it
    bool went_alone = false;   // it has passed the last rendezvous by itself
    bool left_memory = false;  // it shared this process's memory, but does not any more
};

inline StartedChild no_child(int error, const char* call,
                             KnownCall kind = KnownCall::other) noexcept {
    StartedChild none;
    none.error = error;
    none.call = call;
    none.kind = kind;
    return none;
}

// Of a child that is there already: `fd` or, if that is -1, errno. If there is no number for it, the child
// is ended, and there is none.
void take_pidfd(StartedChild& child, int fd, const char* call) noexcept;

// What becomes of the calling thread until the child executes its program.
enum class Caller {
    goes_on,
    may_be_suspended,  // it has nothing to do until then, and nothing to watch
};

// All of these start a child that runs run_child() with this plan. The caller has blocked all signals of
// its thread; in the child they stay so until execve. The plan, and all that it points to, must stay
// until the loan is over.

// By the method, which is not `automatic`. With die_with_parent the child is started by a thread that
// lasts as long as this process, and in a pid namespace by one of the library's.
StartedChild start_child(const Plan& plan, StartMethod method, Caller caller) noexcept;

// The child shares this process's memory until execve, while this thread goes on, or is suspended if it
// may be.
StartedChild start_with_shared_memory(const Plan& plan, Caller caller) noexcept;

// Why this process cannot share its memory with a child that runs beside it.
struct Obstacle {
    const char* what = nullptr;  // none
    int error = 0;
    KnownCall kind = KnownCall::other;
};

// Found out once, but for what may pass: a limit, or no memory.
Obstacle obstacle_to_shared_memory() noexcept;

// Whether that was seen to work: an emulation of Linux may take all the flags and give a copy.
bool is_sharing_proven() noexcept;

// The child has a copy of this process's memory.
StartedChild start_with_copied_memory(const Plan& plan) noexcept;

// The same, born into the pid namespace of the plan. It may leave this thread so that all its later children are born
// there, and so that it can start no thread.
StartedChild start_in_pid_namespace(const Plan& plan) noexcept;

}  // namespace syncspawn::detail
