#include <syncspawn/barrier/barrier.hpp>

#include <utility>

#include "barrier/linux/time_left.hpp"
#include "core.hpp"

namespace syncspawn {
namespace {

BarrierEvents list_of(const syncspawn_barrier& side, core::Wanted wanted) noexcept {
    syncspawn_barrier_events events;
    core::list_events(side, wanted, events);
    return BarrierEvents(events);
}

}  // namespace

const char* to_string(Outcome outcome) noexcept {
    switch (outcome) {
        case Outcome::reached:
            return "reached";
        case Outcome::aborted_here:
            return "aborted_here";
        case Outcome::aborted_there:
            return "aborted_there";
        case Outcome::peer_gone:
            return "peer_gone";
        case Outcome::timed_out:
            return "timed_out";
        case Outcome::failed:
            return "failed";
    }
    return "unknown";
}

BarrierPair Barrier::pair() { return BarrierPair(create()); }

BarrierPair Barrier::pair(std::error_code& error) noexcept { return BarrierPair(create(error)); }

Barrier Barrier::create() {
    std::error_code error;
    Barrier barrier = create(error);
    if (error) {
        throw std::system_error(error, "cannot open a barrier");
    }
    return barrier;
}

Barrier Barrier::create(std::error_code& error) noexcept {
    Barrier barrier;
    error.assign(core::create(barrier.side_), std::generic_category());
    return barrier;
}

Barrier::Barrier(Barrier&& other) noexcept
    : side_(std::exchange(other.side_, syncspawn_barrier{})) {}

Barrier& Barrier::operator=(Barrier&& other) noexcept {
    if (this != &other) {
        core::destroy(side_);
        side_ = std::exchange(other.side_, syncspawn_barrier{});
    }
    return *this;
}

Barrier::~Barrier() { core::destroy(side_); }

void Barrier::destroy() noexcept { core::destroy(side_); }

Outcome Barrier::set_role(Role role) noexcept {
    return core::set_role(side_, static_cast<int>(role));
}

Outcome Barrier::watch_peer(int pidfd) noexcept { return core::watch_peer(side_, pidfd); }

Outcome Barrier::distrust_peer() noexcept { return core::distrust_peer(side_); }

Outcome Barrier::abort() noexcept { return core::abort(side_); }

Outcome Barrier::poll_now() noexcept { return core::poll_now(side_); }

Outcome Barrier::put_back() noexcept { return core::put_back(side_); }

BarrierEvents Barrier::events_for_wait() const noexcept {
    return list_of(side_, core::Wanted::count);
}

BarrierEvents Barrier::events_for_place() const noexcept {
    return list_of(side_, core::Wanted::count_or_room);
}

Outcome Barrier::place() noexcept { return core::place(side_, nullptr); }

Outcome Barrier::place_until(Deadline deadline) noexcept {
    const timespec at = detail::to_timespec(deadline);
    return core::place(side_, &at);
}

Outcome Barrier::try_place() noexcept { return core::place(side_, &core::at_once); }

Outcome Barrier::wait_next() noexcept { return core::wait_next(side_, nullptr); }

Outcome Barrier::wait_next_until(Deadline deadline) noexcept {
    const timespec at = detail::to_timespec(deadline);
    return core::wait_next(side_, &at);
}

Outcome Barrier::try_wait_next() noexcept { return core::wait_next(side_, &core::at_once); }

Outcome Barrier::wait_for_place(int64_t n) noexcept {
    return core::wait_for_place(side_, n, nullptr);
}

Outcome Barrier::wait_for_place_until(int64_t n, Deadline deadline) noexcept {
    const timespec at = detail::to_timespec(deadline);
    return core::wait_for_place(side_, n, &at);
}

Outcome Barrier::try_wait_for_place(int64_t n) noexcept {
    return core::wait_for_place(side_, n, &core::at_once);
}

Outcome Barrier::sync_next() noexcept { return core::sync_next(side_, nullptr); }

Outcome Barrier::sync_next_until(Deadline deadline) noexcept {
    const timespec at = detail::to_timespec(deadline);
    return core::sync_next(side_, &at);
}

Outcome Barrier::try_sync_next() noexcept { return core::sync_next(side_, &core::at_once); }

Outcome Barrier::sync() noexcept { return core::sync(side_, nullptr); }

Outcome Barrier::sync_until(Deadline deadline) noexcept {
    const timespec at = detail::to_timespec(deadline);
    return core::sync(side_, &at);
}

Outcome Barrier::try_sync() noexcept { return core::sync(side_, &core::at_once); }

Outcome Barrier::place_and_sync() noexcept { return core::place_and_sync(side_, nullptr); }

Outcome Barrier::place_and_sync_until(Deadline deadline) noexcept {
    const timespec at = detail::to_timespec(deadline);
    return core::place_and_sync(side_, &at);
}

Outcome Barrier::wait_abortion() noexcept { return core::wait_abortion(side_, nullptr); }

Outcome Barrier::wait_abortion_until(Deadline deadline) noexcept {
    const timespec at = detail::to_timespec(deadline);
    return core::wait_abortion(side_, &at);
}

Outcome Barrier::try_wait_abortion() noexcept { return core::wait_abortion(side_, &core::at_once); }

BarrierStatus Barrier::status() const noexcept {
    return {side_.balance,
            side_.seen,
            (side_.abort_state & SYNCSPAWN_ABORTED_HERE) != 0,
            (side_.abort_state & SYNCSPAWN_ABORTED_THERE) != 0,
            (side_.abort_state & SYNCSPAWN_PEER_GONE) != 0,
            side_.failure};
}

std::error_code Barrier::error() const noexcept {
    return {side_.last_error, std::generic_category()};
}

}  // namespace syncspawn
