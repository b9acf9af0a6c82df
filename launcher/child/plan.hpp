#pragma once

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <type_traits>

#include <syncspawn/barrier.h>
#include <syncspawn/launcher/spawn_options.hpp>
#include <syncspawn/launcher/step.hpp>

#include "launch_record.hpp"

// The plan: everything that the child needs, laid out before it exists. Plain pointers into memory
// that the launch owns, so the child neither allocates nor frees.

namespace syncspawn::detail {

enum class ItemKind {
    begin,  // of the child: descriptors closed, signals reset
    step,
    rendezvous,
    working_directory,
    descriptors,
    execve,
    readiness,
};

struct Redirection {
    int from;
    int to;
    bool is_source_overwritten = false;  // by another redirection
};

// One item of the child's own order.
struct ChildOperation {
    ItemKind kind;
    std::uint32_t item;
    const Part<ChildSide>* part;  // of a step
    const Part<ChildSide>* exec_failed;
};

struct Plan {
    const char* const* candidates;  // paths to execute, null-terminated
    int tries_if_busy;              // of an execve that fails with ETXTBSY
    char* const* arguments;
    char** environment;  // null-terminated; with hand_over its last four are for the child to fill
    std::size_t environment_size;
    const char* working_directory;  // null: stay

    const ChildOperation* operations;
    std::size_t operation_count;
    std::uint32_t begin_item, descriptors_item, execve_item;

    const Redirection* redirections;
    std::size_t redirection_count;
    int* safe_sources;       // as many, for the child to fill
    int lowest_internal_fd;  // above every number that a redirection fills
    const int* kept;         // sorted: all that stay open for the setup, beside 0 to 2
    std::size_t kept_count;

    int exec_pipe;     // its hang-up tells the parent of execve; -1: the barrier's does
    int parent_pidfd;  // in a pid namespace of its own; else -1
    pid_t parent_pid;
    syncspawn_barrier barrier;  // the child's copy, taken before the start

    sigset_t callers_mask;
    const sigset_t* program_mask;  // null: the caller's
    std::uint32_t namespaces;
    int cgroup;          // -1: the parent's
    bool joins_cgroup;   // the child itself: it was not born there
    bool is_alone;       // the parent has nothing to do, and nothing to wait for, until execve
    bool may_be_cloned;  // no child part needs what fork(3) does beyond the system call
    KillScope kill_scope;
    bool reset_ignored_signals;
    bool die_with_parent;
    bool starter_stays;         // the thread that starts the child, until execve
    bool handlers_are_default;  // the start has seen to it
    bool hand_over;
    bool leaves_descriptors;  // that it was not told of

    LaunchRecord* record;
};

static_assert(std::is_trivially_destructible_v<Plan>, "the child never destroys anything");

}  // namespace syncspawn::detail
