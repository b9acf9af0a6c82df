#pragma once

#include <utility>

#include <syncspawn/barrier.hpp>

#include "support/observe.hpp"
#include "support/peer.hpp"

// Two forked peers with one barrier between them.

namespace syncspawn::testing {

inline void expect_outcome(Outcome actual, Outcome expected, int line = __builtin_LINE(),
                           const char* file = __builtin_FILE()) noexcept {
    expect_same(to_string(actual), to_string(expected), line, file);
}

// The balance and the number of the peer's places seen.
inline void expect_counts(const Barrier& barrier, int64_t balance, int64_t seen,
                          int line = __builtin_LINE(),
                          const char* file = __builtin_FILE()) noexcept {
    expect_same(barrier.status().balance, balance, line, file);
    expect_same(barrier.status().seen, seen, line, file);
}

inline void place(Barrier& side, int times = 1) {
    for (int count = 0; count < times; ++count) {
        expect_outcome(side.place(), Outcome::reached);
    }
}

// The end of the pipe that a side with a role holds.
inline int own_pipe_end(const Barrier& side) noexcept {
    const syncspawn_barrier& native = *side.native();
    return native.role == SYNCSPAWN_PARENT ? native.pipe_read_fd : native.pipe_write_fd;
}

// In a peer: waits, without reading, until the other side's end of the pipe is closed. It closes
// after everything that side wrote, so the place or abort is there as well.
inline void await_hang_up(const Barrier& side) noexcept { await_event(own_pipe_end(side)); }

inline Barrier take(BarrierPair pair, Role role) noexcept {
    return role == Role::parent ? std::move(pair).parent() : std::move(pair).child();
}

struct BothSides {
    Peer parent;
    Peer child;
};

// Each body gets its side, with the role set. The harness keeps no descriptor of the barrier, so a
// side's death shows at once; neither does either side keep one of the other's end.
template <class ParentBody, class ChildBody>
BothSides both_sides(ParentBody parent, ChildBody child) {
    BarrierPair pair = Barrier::pair();
    Barrier side;  // in each peer its own
    const auto with_role = [&pair, &side](Role role, auto& body) {
        return Peer([&pair, &side, role, &body] {
            side = take(std::move(pair), role);
            body(side);
        });
    };
    return {with_role(Role::parent, parent), with_role(Role::child, child)};
}

// Both ended well?
#define CHECK_BOTH_REACHED_THE_END(sides)              \
    CHECK((sides).parent.ending() == reached_the_end); \
    CHECK((sides).child.ending() == reached_the_end)

}  // namespace syncspawn::testing
