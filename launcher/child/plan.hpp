#pragma once

#include <sys/types.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <syncspawn/barrier.h>

#include "launch_record.hpp"

// The plan: everything that the child needs, laid out before it exists. Plain pointers into memory
// that the launch owns, so the child neither allocates nor frees. Each part is made whole by one
// function, named above it, and never changed afterwards.

namespace syncspawn {
template <class SideType>
class Part;
class ChildSide;
}  // namespace syncspawn

namespace syncspawn::detail {

enum class ItemKind {
    before_start,  // the parent's part of a step
    begin,         // of the child: descriptors closed, signals reset
    step,
    rendezvous,
    working_directory,
    descriptors,
    last,  // the part of a step behind all else
    execve,
    after_execve,  // the parent's part of a step
    readiness,
};

// Who may not pass a rendezvous before the other side is there.
enum class Waits { both, parent, child };

struct Redirection {
    int from;
    int to;
    bool is_source_overwritten = false;  // by another redirection
};

// One item of the child's own order.
struct ChildOperation {
    ItemKind kind;
    std::uint32_t item;
    const Part<ChildSide>* part;  // of a step, else null
    const Part<ChildSide>*
        exec_failed;  // the same; null, too, where another item of the step has it
    Waits waits;      // of a rendezvous
    bool sends_descriptors;
};

// What is executed, and where. PlanStorage.
struct ProgramPlan {
    const char* const* candidates;  // paths, null-terminated
    char* const* arguments;
    char* const* environment;
    const char* working_directory;  // null: stay
};

// Who does what in which order. PlanStorage.
struct OrderPlan {
    const ChildOperation* operations;  // the last one is the rendezvous "ready to exec"
    std::size_t operation_count;
    std::uint32_t rendezvous_count;  // among them
    const ChildOperation* last_parts;
    std::size_t last_part_count;
    std::uint32_t begin_item, descriptors_item, execve_item;
    bool has_parts;            // the child of the users, the last ones included
    bool changes_credentials;  // in a part
    bool may_be_cloned;        // no child part needs what fork(3) does beyond the system call
};

enum class Leads { nothing, group, session };

// How it is born and what it belongs to. PlanStorage.
struct BirthPlan {
    std::uint32_t namespaces;
    int cgroup;         // -1: the parent's
    int pid_namespace;  // the same
    Leads leads;
    bool die_with_parent;
};

// PlanStorage, with the mask of the caller.
struct SignalPlan {
    bool reset_ignored;
    bool sets_mask;  // else the child has that of the program from the start
    sigset_t program_mask;
};

// DescriptorSetup.
struct DescriptorPlan {
    const Redirection* redirections;
    std::size_t redirection_count;
    int* safe_sources;       // as many, for the child to fill
    int lowest_internal_fd;  // above every number that a redirection fills
    const int* kept;         // sorted: all that stay open for the setup, beside 0 to 2
    std::size_t kept_count;
    bool leaves_others;  // that it was not told of
    int tries_if_busy;   // of an execve that fails with ETXTBSY
};

// Does the thread that starts the child live until execve?
enum class Starter { may_end, stays };

// What the child knows of its parent, and what ties it to it. DescriptorSetup.
struct ParentPlan {
    pid_t pid;
    int pidfd;                  // in another pid namespace than the parent; else -1
    int exec_pipe;              // its hang-up tells the parent of execve; -1: the barrier's does
    int channel;                // for the descriptors that parts send; -1: no step does
    syncspawn_barrier barrier;  // the child's copy, taken before the start; not open: there is none
    Starter starter;
};

// The environment of a program that gets the barrier: one launch's own, since the child writes there.
// HandedEnvironment.
struct HandOverPlan {
    char** environment;     // null: it gets none
    std::size_t variables;  // where the four begin that are for the child to fill
};

// The first process of the pid namespace, if that is not the program. DescriptorSetup.
struct ReaperPlan {
    int file;  // what it executes; -1: the program is the first process
    int status_pipe;
    bool lasts;  // until the last process is gone
};

struct Plan {
    ProgramPlan program;
    OrderPlan order;
    BirthPlan birth;
    SignalPlan signals;
    DescriptorPlan descriptors;
    ParentPlan parent;
    HandOverPlan hand_over;
    ReaperPlan reaper;
    LaunchRecord* record;
};

static_assert(std::is_trivially_destructible_v<Plan>, "the child never destroys anything");

// What the start has seen to already, or left to the child.
struct Arrival {
    bool joins_cgroup;  // the child itself: it was not born there
    // With the parent: then all handlers are default, and its clocks are the parent's.
    bool shares_memory;
    bool is_alone;  // the parent is suspended until execve: there is nobody to meet
    // words.hpp: the child's. Null: its memory is a copy, or it is alone.
    std::atomic<std::uint32_t>* word;
};

}  // namespace syncspawn::detail
