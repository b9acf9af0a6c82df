#pragma once

#include <cstdint>
#include <limits>

#include "core.hpp"

// One look at what the peer did: what to poll, in which order, and the read of the whole count.

namespace syncspawn::core {

inline constexpr int here = SYNCSPAWN_ABORTED_HERE;
inline constexpr int there = SYNCSPAWN_ABORTED_THERE;
inline constexpr int gone = SYNCSPAWN_PEER_GONE;

inline constexpr std::uint64_t abort_word = std::numeric_limits<std::int64_t>::max();

// A peer can make the counts as large as it likes; they stop at the ends of the range.
void add_saturating(std::int64_t& value, std::int64_t summand) noexcept;

// In one piece: a signal handler may abort in between.
void latch(Side& side, int bit) noexcept;

struct Look {
    bool failed = false;
    bool count = false;  // places or an abort of the peer
    bool room = false;   // for one more place of this side
    bool death = false;
    bool is_last = false;  // the deadline had passed: nobody may look again
};

// Waits for what is wanted, for the peer's death, or for the deadline. One ppoll looks at the
// witnesses of death first and at the count second (the kernel goes through the array in order, once
// more at the deadline too): what the peer did before its death is therefore seen. Ends early, having
// seen nothing, if a signal handler aborts meanwhile, which may close the pipe.
Look look(Side& side, Wanted wanted, const timespec* deadline) noexcept;

// Takes the whole count. False after an I/O failure.
bool drain(Side& side, bool& took_places) noexcept;

}  // namespace syncspawn::core
