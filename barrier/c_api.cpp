#include <syncspawn/barrier.h>
#include <syncspawn/barrier/hand_over.hpp>

#include <cerrno>

#include "core.hpp"
#include "hand_over.hpp"

// The C twin: the same core, its outcomes folded into 1, 0 and negative errno values.

namespace {

using syncspawn::Outcome;
namespace core = syncspawn::core;

int fold(const syncspawn_barrier& side, Outcome outcome) noexcept {
    switch (outcome) {
        case Outcome::reached:
            return 1;
        case Outcome::aborted_here:
        case Outcome::aborted_there:
        case Outcome::peer_gone:
            return 0;
        case Outcome::timed_out:
            return -ETIMEDOUT;
        case Outcome::failed:
            break;
    }
    return -side.last_error;
}

bool is_valid(const timespec* deadline) noexcept {
    return deadline == nullptr || (deadline->tv_nsec >= 0 && deadline->tv_nsec < 1'000'000'000);
}

template <class Operation>
int timed(syncspawn_barrier* side, const timespec* deadline, Operation operation) noexcept {
    return fold(*side, is_valid(deadline) ? operation(*side, deadline) : core::misuse(*side));
}

}  // namespace

int syncspawn_barrier_create(syncspawn_barrier* barrier) { return -core::create(*barrier); }

int syncspawn_barrier_set_role(syncspawn_barrier* barrier, syncspawn_role role) {
    return core::set_role(*barrier, role) == Outcome::reached ? 0 : -barrier->last_error;
}

int syncspawn_barrier_watch_peer(syncspawn_barrier* barrier, int pidfd) {
    return core::watch_peer(*barrier, pidfd) == Outcome::reached ? 0 : -barrier->last_error;
}

int syncspawn_barrier_distrust_peer(syncspawn_barrier* barrier) {
    return core::distrust_peer(*barrier) == Outcome::reached ? 0 : -barrier->last_error;
}

void syncspawn_barrier_destroy(syncspawn_barrier* barrier) { core::destroy(*barrier); }

int syncspawn_barrier_place(syncspawn_barrier* barrier) {
    return syncspawn_barrier_place_until(barrier, nullptr);
}

int syncspawn_barrier_abort(syncspawn_barrier* barrier) {
    return fold(*barrier, core::abort(*barrier));
}

int syncspawn_barrier_wait_next(syncspawn_barrier* barrier) {
    return syncspawn_barrier_wait_next_until(barrier, nullptr);
}

int syncspawn_barrier_wait_abortion(syncspawn_barrier* barrier) {
    return syncspawn_barrier_wait_abortion_until(barrier, nullptr);
}

int syncspawn_barrier_sync_next(syncspawn_barrier* barrier) {
    return syncspawn_barrier_sync_next_until(barrier, nullptr);
}

int syncspawn_barrier_sync(syncspawn_barrier* barrier) {
    return syncspawn_barrier_sync_until(barrier, nullptr);
}

int syncspawn_barrier_place_and_sync(syncspawn_barrier* barrier) {
    return syncspawn_barrier_place_and_sync_until(barrier, nullptr);
}

int syncspawn_barrier_wait_for_place(syncspawn_barrier* barrier, int64_t count) {
    return syncspawn_barrier_wait_for_place_until(barrier, count, nullptr);
}

int syncspawn_barrier_poll_now(syncspawn_barrier* barrier) {
    return fold(*barrier, core::poll_now(*barrier));
}

int syncspawn_barrier_put_back(syncspawn_barrier* barrier) {
    return fold(*barrier, core::put_back(*barrier));
}

int syncspawn_barrier_try_place(syncspawn_barrier* barrier) {
    return syncspawn_barrier_place_until(barrier, &core::at_once);
}

int syncspawn_barrier_try_wait_next(syncspawn_barrier* barrier) {
    return syncspawn_barrier_wait_next_until(barrier, &core::at_once);
}

int syncspawn_barrier_try_wait_abortion(syncspawn_barrier* barrier) {
    return syncspawn_barrier_wait_abortion_until(barrier, &core::at_once);
}

int syncspawn_barrier_try_sync_next(syncspawn_barrier* barrier) {
    return syncspawn_barrier_sync_next_until(barrier, &core::at_once);
}

int syncspawn_barrier_try_sync(syncspawn_barrier* barrier) {
    return syncspawn_barrier_sync_until(barrier, &core::at_once);
}

int syncspawn_barrier_try_wait_for_place(syncspawn_barrier* barrier, int64_t count) {
    return syncspawn_barrier_wait_for_place_until(barrier, count, &core::at_once);
}

void syncspawn_barrier_events_for_wait(const syncspawn_barrier* barrier,
                                       syncspawn_barrier_events* events) {
    core::list_events(*barrier, core::Wanted::count, *events);
}

void syncspawn_barrier_events_for_place(const syncspawn_barrier* barrier,
                                        syncspawn_barrier_events* events) {
    core::list_events(*barrier, core::Wanted::count_or_room, *events);
}

int syncspawn_barrier_place_until(syncspawn_barrier* barrier, const timespec* monotonic_deadline) {
    return timed(barrier, monotonic_deadline, core::place);
}

int syncspawn_barrier_wait_next_until(syncspawn_barrier* barrier,
                                      const timespec* monotonic_deadline) {
    return timed(barrier, monotonic_deadline, core::wait_next);
}

int syncspawn_barrier_wait_abortion_until(syncspawn_barrier* barrier,
                                          const timespec* monotonic_deadline) {
    return timed(barrier, monotonic_deadline, core::wait_abortion);
}

int syncspawn_barrier_sync_next_until(syncspawn_barrier* barrier,
                                      const timespec* monotonic_deadline) {
    return timed(barrier, monotonic_deadline, core::sync_next);
}

int syncspawn_barrier_sync_until(syncspawn_barrier* barrier, const timespec* monotonic_deadline) {
    return timed(barrier, monotonic_deadline, core::sync);
}

int syncspawn_barrier_place_and_sync_until(syncspawn_barrier* barrier,
                                           const timespec* monotonic_deadline) {
    return timed(barrier, monotonic_deadline, core::place_and_sync);
}

int syncspawn_barrier_wait_for_place_until(syncspawn_barrier* barrier, int64_t count,
                                           const timespec* monotonic_deadline) {
    return timed(barrier, monotonic_deadline, [count](auto& side, const timespec* deadline) {
        return core::wait_for_place(side, count, deadline);
    });
}

int syncspawn_barrier_attach(syncspawn_barrier* barrier, syncspawn_attach_error* error) {
    return syncspawn_barrier_attach_for(barrier, SYNCSPAWN_THIS_PROCESS, error);
}

int syncspawn_barrier_attach_for(syncspawn_barrier* barrier, syncspawn_attach_for whom,
                                 syncspawn_attach_error* error) {
    syncspawn_attach_error ignored;
    return -core::attach(*barrier, error != nullptr ? *error : ignored,
                         static_cast<syncspawn::AttachFor>(whom))
                .error;
}

int syncspawn_barrier_export(syncspawn_barrier* barrier, int lowest_fd,
                             syncspawn_barrier_environment* environment) {
    const Outcome outcome = core::export_side(*barrier, *environment, lowest_fd);
    return outcome == Outcome::reached ? 0 : -barrier->last_error;
}
