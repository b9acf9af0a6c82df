/* syncspawn: the barrier in C.
 *
 *     #include <stdio.h>
 *     #include <unistd.h>
 *
 *     #include <syncspawn/barrier.h>
 *
 *     int main(void) {
 *         struct syncspawn_barrier barrier;
 *         if (syncspawn_barrier_create(&barrier) < 0) return 1;
 *         if (fork() == 0) {
 *             syncspawn_barrier_set_role(&barrier, SYNCSPAWN_CHILD);
 *             // ... set up this side ...
 *             _exit(syncspawn_barrier_place_and_sync(&barrier) == 1 ? 0 : 1);
 *         }
 *         syncspawn_barrier_set_role(&barrier, SYNCSPAWN_PARENT);
 *         // ... set up the other side ...
 *         int in_step = syncspawn_barrier_place_and_sync(&barrier);
 *         syncspawn_barrier_destroy(&barrier);
 *         puts(in_step == 1 ? "both sides are set up" : "the child gave up or is gone");
 *         return in_step == 1 ? 0 : 1;
 *     }
 *
 * Model. Two processes, one barrier. To say "I am this far", a side adds 1 to a counter that the
 * other side reads. Each such 1 is a *place*, and to add it is *to place*. A side waits for the
 * places of the other, its *peer*. An abort replaces the places that the peer has not read yet. An
 * exit of the peer (also a crash, or SIGKILL) does not: first all of its places are read, and then
 * it is gone. barrier/README.md has the protocol and lists every operation in every state.
 *
 * Results. The waits, place and abort return 1 when they reached what they were for. They return 0
 * when a side has aborted or the peer is gone, and a negative errno otherwise (-ETIMEDOUT: not yet).
 * So compare with 1: an error is true, too. place is 1 also after the peer's end, known or not: only
 * a wait finds out. The other functions return 0 or a negative errno.
 *
 * Safety. Nothing allocates, locks or throws. Every function but create and attach is
 * async-signal-safe and may run between fork and execve. A handler that aborts ends the wait that it
 * interrupts; a wait that was just about to sleep ends when it next wakes up. A wait needs an
 * RLIMIT_NOFILE of 3 (poll(2)). A barrier belongs to one thread of one process on each side; share it
 * between threads only under a lock of your own.
 *
 * The same implementation serves <syncspawn/barrier.hpp>. These functions need nothing of the C++ run
 * time: the static library links into a C program with the C compiler alone.
 */
#ifndef SYNCSPAWN_BARRIER_H
#define SYNCSPAWN_BARRIER_H

#include <poll.h>
#include <stdint.h>
#include <time.h>

struct timespec; /* C99 does not have it */

#include <syncspawn/barrier/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

enum syncspawn_role {
    SYNCSPAWN_NO_ROLE = 0, /* between create and set_role */
    SYNCSPAWN_PARENT = 1,
    SYNCSPAWN_CHILD = 2
};

/* Flags of syncspawn_barrier.abort_state. THERE and GONE exclude each other: the first cause wins. */
enum syncspawn_abort_state {
    SYNCSPAWN_ABORTED_HERE = 1,  /* this side aborted */
    SYNCSPAWN_ABORTED_THERE = 2, /* the peer aborted */
    SYNCSPAWN_PEER_GONE = 4      /* the peer ended, or executed a program without handing over */
};

/* One side of a barrier. Read the members if you like; only the functions below may write them. A
 * struct of zeroes is an empty barrier: every operation on it is misuse (-EINVAL), destroy is a
 * no-op. To copy one is to copy descriptor numbers: keep using only one of the copies. */
struct syncspawn_barrier {
    int is_open;        /* 1 between create or attach and destroy */
    int role;           /* enum syncspawn_role */
    int local_fd;       /* eventfd this side adds to */
    int remote_fd;      /* eventfd the peer adds to */
    int pipe_read_fd;   /* the parent's end, -1 elsewhere */
    int pipe_write_fd;  /* the child's end, -1 elsewhere */
    int peer_pidfd;     /* second witness of the peer's death, -1 if none; borrowed */
    int abort_state;    /* enum syncspawn_abort_state, combined */
    int distrusts_peer; /* 1 after distrust_peer */
    int failure;        /* errno of the first I/O failure, 0 if none; ends every later operation */
    int last_error;     /* errno of the last operation that failed; only a hint for the caller */
    int64_t balance;    /* own places minus the peer's places read here */
    int64_t seen;       /* the peer's places read here */
    int64_t used;       /* those of them that a wait here was for; put_back gives back the others */
};

/* Opens two eventfds and a pipe, all close-on-exec and non-blocking and none numbered 0 to 2. On
 * failure nothing stays open. Errors: EMFILE, ENFILE, ENOMEM, ENODEV (eventfd(2), pipe(2)). */
SYNCSPAWN_API int syncspawn_barrier_create(struct syncspawn_barrier *barrier);

/* To be called once, on each side, after fork. Closes the pipe end of the other side. -EINVAL for a
 * second call or an unknown role; place, abort and waits before the first call are -EINVAL too. */
SYNCSPAWN_API int syncspawn_barrier_set_role(struct syncspawn_barrier *barrier,
                                             enum syncspawn_role role);

/* A pidfd of the peer (pidfd_open(2), Linux 5.3) as a second witness of its death: it sees what a
 * third process holding the pipe hides. Borrowed: keep it open as long as the barrier. -1: none. */
SYNCSPAWN_API int syncspawn_barrier_watch_peer(struct syncspawn_barrier *barrier, int pidfd);

/* Says that the peer may be hostile, or is about to execute a program that may. The peer could take
 * O_NONBLOCK away from the counters, fill them up and so block this side in its own write. From now on
 * each place sets the flag first, with a system call of its own. (Reads of the parent and aborts of
 * both sides never rely on the flag.) Not handed over. */
SYNCSPAWN_API int syncspawn_barrier_distrust_peer(struct syncspawn_barrier *barrier);

/* Closes everything; for the peer that is the same as an exit. Safe to call twice. */
SYNCSPAWN_API void syncspawn_barrier_destroy(struct syncspawn_barrier *barrier);

/* Makes a place. Blocks only if 2^64 - 2 of them have piled up unread. 1 also if the peer is gone; 0
 * after an abort. */
SYNCSPAWN_API int syncspawn_barrier_place(struct syncspawn_barrier *barrier);

/* Tells the peer that this side gives up. Never blocks. A second call does nothing. */
SYNCSPAWN_API int syncspawn_barrier_abort(struct syncspawn_barrier *barrier);

/* Waits for at least one place of the peer that was not read here yet; takes all that are there. */
SYNCSPAWN_API int syncspawn_barrier_wait_next(struct syncspawn_barrier *barrier);

/* Waits for the peer to abort or to be gone. */
SYNCSPAWN_API int syncspawn_barrier_wait_abortion(struct syncspawn_barrier *barrier);

/* Waits until the peer has placed once more, if it owes a place at all. */
SYNCSPAWN_API int syncspawn_barrier_sync_next(struct syncspawn_barrier *barrier);

/* Waits until the peer placed at least as often as this side. */
SYNCSPAWN_API int syncspawn_barrier_sync(struct syncspawn_barrier *barrier);

/* place, then sync: the rendezvous. */
SYNCSPAWN_API int syncspawn_barrier_place_and_sync(struct syncspawn_barrier *barrier);

/* Waits until the peer's count-th place since create was read; at once when it was already. Beyond
 * execve the count goes on: a launch's rendezvous are in it, so the next place is number seen + 1. */
SYNCSPAWN_API int syncspawn_barrier_wait_for_place(struct syncspawn_barrier *barrier,
                                                   int64_t count);

/* Never blocks: reads what is there and looks for the peer's death. 1: alive and in step; 0: aborted
 * or gone; -ETIMEDOUT: alive, but sync would have to wait. */
SYNCSPAWN_API int syncspawn_barrier_poll_now(struct syncspawn_barrier *barrier);

/* A wait reads all the places that are there. This puts back those that no wait was for, so that a
 * later wait or the next holder of this side finds them; also an abort of the peer that is known.
 * Never blocks. */
SYNCSPAWN_API int syncspawn_barrier_put_back(struct syncspawn_barrier *barrier);

/* Tries: place and the waits once more, but these never block. -ETIMEDOUT means "not yet"; what a try
 * has read stays counted. Instead of place_and_sync, try place until that is 1, and then sync. */
SYNCSPAWN_API int syncspawn_barrier_try_place(struct syncspawn_barrier *barrier);
SYNCSPAWN_API int syncspawn_barrier_try_wait_next(struct syncspawn_barrier *barrier);
SYNCSPAWN_API int syncspawn_barrier_try_wait_abortion(struct syncspawn_barrier *barrier);
SYNCSPAWN_API int syncspawn_barrier_try_sync_next(struct syncspawn_barrier *barrier);
SYNCSPAWN_API int syncspawn_barrier_try_sync(struct syncspawn_barrier *barrier);
SYNCSPAWN_API int syncspawn_barrier_try_wait_for_place(struct syncspawn_barrier *barrier,
                                                       int64_t count);

/* What an event loop has to poll, after a try said -ETIMEDOUT, until the next one may go on:
 *
 *     while ((result = syncspawn_barrier_try_sync(&barrier)) == -ETIMEDOUT) {
 *         syncspawn_barrier_events_for_wait(&barrier, &events);
 *         poll(events.polled, events.count, -1);
 *     }
 *
 * <syncspawn/barrier/events.hpp> says how this fits epoll, libuv and GLib. */
struct syncspawn_barrier_events {
    struct pollfd polled[4];
    unsigned int count; /* of the entries that are filled; none has a negative descriptor */
};

/* Before the next try of a wait or a sync; before the next try_place. */
SYNCSPAWN_API void syncspawn_barrier_events_for_wait(const struct syncspawn_barrier *barrier,
                                                     struct syncspawn_barrier_events *events);
SYNCSPAWN_API void syncspawn_barrier_events_for_place(const struct syncspawn_barrier *barrier,
                                                      struct syncspawn_barrier_events *events);

/* Place and the waits with a deadline: an absolute time of CLOCK_MONOTONIC, NULL for none. At the
 * deadline the barrier looks once more. After -ETIMEDOUT the barrier stays usable, and what was read
 * stays counted. */
SYNCSPAWN_API int syncspawn_barrier_place_until(struct syncspawn_barrier *barrier,
                                                const struct timespec *monotonic_deadline);
SYNCSPAWN_API int syncspawn_barrier_wait_next_until(struct syncspawn_barrier *barrier,
                                                    const struct timespec *monotonic_deadline);
SYNCSPAWN_API int syncspawn_barrier_wait_abortion_until(struct syncspawn_barrier *barrier,
                                                        const struct timespec *monotonic_deadline);
SYNCSPAWN_API int syncspawn_barrier_sync_next_until(struct syncspawn_barrier *barrier,
                                                    const struct timespec *monotonic_deadline);
SYNCSPAWN_API int syncspawn_barrier_sync_until(struct syncspawn_barrier *barrier,
                                               const struct timespec *monotonic_deadline);
SYNCSPAWN_API int syncspawn_barrier_place_and_sync_until(struct syncspawn_barrier *barrier,
                                                         const struct timespec *monotonic_deadline);
SYNCSPAWN_API int syncspawn_barrier_wait_for_place_until(struct syncspawn_barrier *barrier,
                                                         int64_t count,
                                                         const struct timespec *monotonic_deadline);

#ifdef __cplusplus
}
#endif

#include <syncspawn/barrier/hand_over.h>

#endif
