#pragma once

#include <syncspawn/barrier/hand_over.hpp>

#include "core.hpp"

// The hand-over over execve, on the plain struct.

namespace syncspawn::core {

struct Attached {
    int error;  // errno as the C interface documents it, 0 for success
    AttachProblem problem;
};

// Fills `side` or `report`. Removes the variables in either case.
Attached attach(Side& side, syncspawn_attach_error& report, AttachFor whom) noexcept;

// Async-signal-safe.
Outcome export_side(Side& side, syncspawn_barrier_environment& environment, int lowest_fd) noexcept;

}  // namespace syncspawn::core
