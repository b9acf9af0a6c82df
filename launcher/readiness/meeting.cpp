#include "meeting.hpp"

#include "barrier/linux/waiting.hpp"

namespace syncspawn::detail {

std::optional<Outcome> Meeting::advance(const std::optional<Deadline>& may_wait_until) noexcept {
    Outcome outcome = Outcome::reached;
    if (!has_placed_) {
        outcome = may_wait_until ? barrier_.place_until(*may_wait_until) : barrier_.place();
        has_placed_ = outcome == Outcome::reached;
    }
    if (has_placed_) {
        outcome = may_wait_until ? barrier_.sync_until(*may_wait_until) : barrier_.sync();
    }
    if (outcome == Outcome::timed_out) {
        return std::nullopt;
    }
    has_placed_ = false;
    return outcome;
}

Polled Meeting::polled() const noexcept {
    const syncspawn_barrier& side = *barrier_.native();
    return {readable(side.remote_fd), pollfd{has_placed_ ? -1 : side.local_fd, POLLOUT, 0},
            hung_up(side.pipe_read_fd), hung_up(-1)};
}

}  // namespace syncspawn::detail
