/* NOLINTNEXTLINE(bugprone-reserved-identifier): the way to ask for clock_gettime */
#define _POSIX_C_SOURCE 200809L

#include "support/c_sides.h"

#include <errno.h>
#include <stddef.h>

#define REQUIRE(condition) \
    if (!(condition)) return __LINE__

int c_rendezvous(struct syncspawn_barrier *barrier, enum syncspawn_role role) {
    const struct timespec past = {0, 0};
    struct timespec soon;
    REQUIRE(syncspawn_barrier_place(barrier) == -EINVAL);
    REQUIRE(syncspawn_barrier_set_role(barrier, role) == 0);
    REQUIRE(syncspawn_barrier_set_role(barrier, role) == -EINVAL);
    REQUIRE(syncspawn_barrier_place_and_sync(barrier) == 1);
    REQUIRE(barrier->balance == 0 && barrier->seen == 1);
    REQUIRE(syncspawn_barrier_sync(barrier) == 1);
    if (role == SYNCSPAWN_PARENT) {
        REQUIRE(syncspawn_barrier_wait_for_place(barrier, 2) == 0); /* the other side is gone */
        REQUIRE((barrier->abort_state & SYNCSPAWN_PEER_GONE) != 0);
        REQUIRE(syncspawn_barrier_place_until(barrier, &past) == 1);
        REQUIRE(clock_gettime(CLOCK_MONOTONIC, &soon) == 0);
        REQUIRE(syncspawn_barrier_sync_until(barrier, &soon) == 0);
    }
    syncspawn_barrier_destroy(barrier);
    REQUIRE(syncspawn_barrier_sync(barrier) == -EINVAL);
    return 0;
}

int c_wait_for_an_abort(struct syncspawn_barrier *barrier) {
    REQUIRE(syncspawn_barrier_set_role(barrier, SYNCSPAWN_PARENT) == 0);
    REQUIRE(syncspawn_barrier_wait_abortion(barrier) == 1);
    REQUIRE(barrier->abort_state == SYNCSPAWN_ABORTED_THERE);
    REQUIRE(syncspawn_barrier_wait_next(barrier) == 0);
    REQUIRE(syncspawn_barrier_place(barrier) == 0);
    REQUIRE(syncspawn_barrier_poll_now(barrier) == 0);
    REQUIRE(syncspawn_barrier_abort(barrier) == 0);
    return 0;
}

int c_abort(struct syncspawn_barrier *barrier) {
    const struct timespec past = {0, 0};
    REQUIRE(syncspawn_barrier_set_role(barrier, SYNCSPAWN_CHILD) == 0);
    REQUIRE(syncspawn_barrier_poll_now(barrier) == 1);
    REQUIRE(syncspawn_barrier_wait_next_until(barrier, &past) == -ETIMEDOUT);
    REQUIRE(syncspawn_barrier_abort(barrier) == 1);
    REQUIRE(syncspawn_barrier_abort(barrier) >= 0);
    REQUIRE(syncspawn_barrier_sync(barrier) == 0);
    REQUIRE(syncspawn_barrier_wait_abortion(barrier) == 0);
    return 0;
}

int c_empty_barrier(void) {
    struct syncspawn_barrier barrier = {0};
    struct syncspawn_barrier_environment environment;
    syncspawn_barrier_destroy(&barrier);
    REQUIRE(syncspawn_barrier_set_role(&barrier, SYNCSPAWN_PARENT) == -EINVAL);
    REQUIRE(syncspawn_barrier_watch_peer(&barrier, -1) == -EINVAL);
    REQUIRE(syncspawn_barrier_abort(&barrier) == -EINVAL);
    REQUIRE(syncspawn_barrier_poll_now(&barrier) == -EINVAL);
    REQUIRE(syncspawn_barrier_export(&barrier, 10, &environment) == -EINVAL);
    return 0;
}
