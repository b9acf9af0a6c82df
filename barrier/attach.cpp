// The C++ face of the hand-over: exceptions and strings. All else is in attach_side.cpp and export_side.cpp.

#include "hand_over.hpp"

namespace syncspawn {

Barrier attach(AttachFor whom) {
    AttachError error;
    Barrier barrier = attach(error, whom);
    if (error) {
        throw AttachError(error);
    }
    return barrier;
}

Barrier attach(AttachError& error, AttachFor whom) {
    syncspawn_barrier side{};
    syncspawn_attach_error report{};
    const core::Attached attached = core::attach(side, report, whom);
    if (attached.problem == AttachProblem::none) {
        error = AttachError();
        return Barrier(side);
    }
    error = AttachError(attached.problem, report.variable, report.message);
    return {};
}

Outcome export_barrier(Barrier& barrier, BarrierEnvironment& environment, int lowest_fd) noexcept {
    return core::export_side(*barrier.native(), environment, lowest_fd);
}

}  // namespace syncspawn
