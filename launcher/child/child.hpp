#pragma once

#include <cstddef>
#include <cstdint>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/hand_over.hpp>
#include <syncspawn/launcher/step.hpp>

#include "exec_search.hpp"
#include "known_call.hpp"
#include "plan.hpp"

// The child's life, one file for each of its chapters; post_fork.cpp is the table of contents. All of it
// obeys the contract in README.md.

namespace syncspawn::detail {

// A call of the library's own that failed.
struct Failed {
    std::uint32_t item = 0;
    int error = 0;
    const char* text = nullptr;  // null: the item says it all
    KnownCall call = KnownCall::other;
};

// What the chapters share. On the child's own stack.
struct Child {
    Child(const Plan& its_plan, const Arrival& its_arrival) noexcept
        : plan(its_plan),
          arrival(its_arrival),
          record(*its_plan.record),
          parent(its_plan.parent.pid),
          search{its_plan.program.candidates, its_plan.descriptors.tries_if_busy} {}
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    // Says why, and leaves.
    [[noreturn]] void fail(const Failed& failed) noexcept;
    // Lets the failure slot, which is filled, count as the first cause if there is none yet.
    void report() noexcept;
    // Behind a report.
    [[noreturn]] void leave() noexcept;
    // The parent gave up, and knows why.
    [[noreturn]] static void vanish() noexcept;
    // If it did, as far as a look tells.
    void leave_if_told_to(std::uint32_t item) noexcept;
    // If another process is the parent by now. Returns getppid(2): 0 tells nothing.
    pid_t leave_if_orphaned() const noexcept;
    // The next rendezvous. Returns once the parent is there, if this side is to wait for it.
    void meet(const ChildOperation& rendezvous) noexcept;

    Plan plan;  // a copy: some descriptors get other numbers
    const Arrival arrival;
    LaunchRecord& record;
    pid_t parent;                   // that of getppid(2)
    Barrier barrier{};              // open if there is anybody to meet
    BarrierEnvironment exported{};  // what the program is told of it
    Replacement replacement{};      // what the parts want instead of the plan's
    Search search;
    bool has_death_signal = false;

private:
    // If the parent gave up, by the end of an operation on the barrier.
    void leave_if_aborted(Outcome outcome, std::uint32_t item) noexcept;
    void meet_by_words(const ChildOperation& rendezvous) noexcept;

    std::uint32_t rendezvous_ = 0;  // the number of the last one, by words
};

// arrival.cpp: becomes what the parts may rely on, however it was started.
void arrive(Child& child) noexcept;

// parts.cpp: the steps and rendezvous, up to "ready to exec".
void do_parts(Child& child) noexcept;
// There are some. For what would forbid the library's own calls: it makes none between them, nor behind.
void do_last_parts(Child& child) noexcept;

// death_signal.cpp
// The child dies with its parent from here on, if that is not too late. `next` is what it does then.
void tie_to_parent(Child& child, std::uint32_t item, const ChildOperation& next) noexcept;
// The program gets the signal only if it was asked for.
void settle_death_signal(Child& child, std::uint32_t item) noexcept;
// Needed where the signal is no more, or cannot be: it has a look at the parent, and at its barrier.
void leave_if_parent_is_gone(Child& child, std::uint32_t item) noexcept;

// first_process.cpp: starts a second process, which becomes the program, and the reaper in this one.
[[noreturn]] void become_reaper(Child& child, void (*become_program)(Child&) noexcept) noexcept;

// program_descriptors.cpp: those of the program, and its barrier.
void arrange_descriptors(Child& child) noexcept;
// The variables of the hand-over are in the plan's.
void refuse_replaced_environment(Child& child, std::uint32_t item) noexcept;

// execution.cpp
void settle_signal_mask(Child& child, std::uint32_t item) noexcept;
void commit(Child& child) noexcept;
[[noreturn]] void execute(Child& child) noexcept;

}  // namespace syncspawn::detail
