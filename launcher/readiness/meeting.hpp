#pragma once

#include <poll.h>

#include <array>
#include <optional>

#include <syncspawn/barrier/barrier.hpp>

namespace syncspawn::detail {

// What to wait for, where it is not known before how many there are. Negative ones are passed over.
using Polled = std::array<pollfd, 4>;

// One rendezvous: this side's place, then the other's. It remembers how far it has come, so that whoever
// must not block comes again. Over and done with, it is ready for the next one.
class Meeting {
public:
    // The barrier must stay where it is.
    explicit Meeting(Barrier& barrier) noexcept : barrier_(barrier) {}

    // How it ended; none yet. Waits until then at most, without regard to anything but the barrier: a
    // time in the past makes it a look, none waits for ever.
    std::optional<Outcome> advance(const std::optional<Deadline>& may_wait_until) noexcept;
    // What tells that there is more to do.
    [[nodiscard]] Polled polled() const noexcept;

private:
    Barrier& barrier_;
    bool has_placed_ = false;
};

}  // namespace syncspawn::detail
