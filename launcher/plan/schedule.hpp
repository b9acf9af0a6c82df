#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <syncspawn/launcher/spawn_error.hpp>
#include <syncspawn/launcher/step.hpp>

#include "launcher/child/plan.hpp"

// The schedule: which side does what in which order. Made once when a spawner is defined; a launch
// only walks it.

namespace syncspawn::detail {

// One line of the timeline, and what a failure names. Both sides refer to it by its index.
struct Item {
    ItemKind kind;
    std::string name;
    const Step* step = nullptr;  // of a step
    Waits waits = Waits::both;   // at a rendezvous
};

// A point that neither side passes before the other has reached it.
struct Rendezvous {
    std::string name;
};

// What a user adds to a spawner, in order.
using Entry = std::variant<Step, Rendezvous>;

struct Schedule {
    std::vector<Item> items;
    std::vector<std::uint32_t> before_start;  // the parent's, before there is a child
    std::vector<std::uint32_t> parent;        // indices of items, in the order of that side
    std::vector<std::uint32_t> child;         // up to "ready to exec"
    std::vector<std::uint32_t> last;          // the child's, right before execve
    std::vector<std::uint32_t> after_execve;  // the parent's, once the program runs
    std::vector<const Step*> after_end;       // those with such a part
    std::uint32_t begin = 0;
    std::uint32_t working_directory = 0;
    std::uint32_t ready_to_exec = 0;
    std::uint32_t descriptors = 0;
    std::uint32_t execve = 0;
    std::uint32_t readiness = 0;
};

// Inserts as few rendezvous as the orders of the steps need: one between the parts of an ordered step, or
// between its one part and the next on the other side, shared by neighbours that want the same order. The
// entries must outlive the schedule.
Schedule make_schedule(const std::vector<Entry>& entries, const std::string& program,
                       const std::string& working_directory);

Stage stage_of(ItemKind kind) noexcept;

}  // namespace syncspawn::detail
