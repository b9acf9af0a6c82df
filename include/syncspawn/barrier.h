/* syncspawn: the barrier in C.
 *
 *     struct syncspawn_barrier barrier;
 *     if (syncspawn_barrier_create(&barrier) < 0) return 1;
 *     if (fork() == 0) {
 *         syncspawn_barrier_set_role(&barrier, SYNCSPAWN_CHILD);
 *         ... set up ...
 *         _exit(syncspawn_barrier_place_and_sync(&barrier) == 1 ? 0 : 1);
 *     }
 *     syncspawn_barrier_set_role(&barrier, SYNCSPAWN_PARENT);
 *     int in_step = syncspawn_barrier_place_and_sync(&barrier);
 *     syncspawn_barrier_destroy(&barrier);
 *
 * Two processes, one barrier. Each side places sync points and waits for those of the other. An
 * abort supersedes places that were not read yet; an exit (or a crash, or SIGKILL) queues behind
 * them. barrier/README.md explains the protocol and lists every operation in every state.
 *
 * Results. The waits, place and abort return 1 when they reached what they were for, 0 when this
 * side or the other has aborted or the other is gone, and a negative errno otherwise (-ETIMEDOUT
 * for a deadline): compare with 1. An interface that answers bool, as systemd's barriers do, says
 * false for an error; here an error is true. place reaches what it is for also after the other
 * side's end, known or not: it then counts what nobody reads, and the next wait says so. create,
 * set_role, attach and export return 0 or a negative errno.
 *
 * Safety. Nothing allocates, locks or throws. Every function but create and attach is
 * async-signal-safe and may run between fork and execve. A handler that aborts ends the wait that it
 * interrupts, or one that was just about to sleep when that next wakes up. A wait needs an
 * RLIMIT_NOFILE of 3 (poll(2)). A barrier belongs to one thread of one process on each side; share it
 * between threads only under a lock of your own.
 *
 * The same implementation serves <syncspawn/barrier.hpp>. These functions need nothing of the C++ run
 * time: the static library links into a C program with the C compiler alone.
 */
#ifndef SYNCSPAWN_BARRIER_H
#define SYNCSPAWN_BARRIER_H

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
    int is_open;       /* 1 between create or attach and destroy */
    int role;          /* enum syncspawn_role */
    int local_fd;      /* eventfd this side adds to */
    int remote_fd;     /* eventfd the peer adds to */
    int pipe_read_fd;  /* the parent's end, -1 elsewhere */
    int pipe_write_fd; /* the child's end, -1 elsewhere */
    int peer_pidfd;    /* second witness of the peer's death, -1 if none; borrowed */
    int abort_state;   /* enum syncspawn_abort_state, combined */
    int failure;       /* errno of the first I/O failure, 0 if none; ends every later operation */
    int last_error;    /* errno of the last operation that failed; only a hint for the caller */
    int64_t balance;   /* own places minus the peer's places read here */
    int64_t seen;      /* the peer's places read here */
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

/* Closes everything; for the peer that is the same as an exit. Safe to call twice. */
SYNCSPAWN_API void syncspawn_barrier_destroy(struct syncspawn_barrier *barrier);

/* One more sync point of this side. Blocks only if the peer let 2^64 - 2 of them pile up. 1 also if
 * the peer is gone; 0 after an abort. */
SYNCSPAWN_API int syncspawn_barrier_place(struct syncspawn_barrier *barrier);

/* Tells the peer that this side gives up. Never blocks. A second call does nothing. */
SYNCSPAWN_API int syncspawn_barrier_abort(struct syncspawn_barrier *barrier);

/* Waits for at least one place of the peer that was not read here yet; takes all that are there. */
SYNCSPAWN_API int syncspawn_barrier_wait_next(struct syncspawn_barrier *barrier);

/* Waits for the peer to abort or to be gone. */
SYNCSPAWN_API int syncspawn_barrier_wait_abortion(struct syncspawn_barrier *barrier);

/* Waits until the peer made up for one more of this side's places. */
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

/* A wait reads all that is there. This gives back what was read after the peer's count-th place, for
 * a later wait or another holder of this side, and a known abort of the peer. Never blocks. */
SYNCSPAWN_API int syncspawn_barrier_put_back_after(struct syncspawn_barrier *barrier,
                                                   int64_t count);

/* The same with a deadline: an absolute time of CLOCK_MONOTONIC, NULL for none. At the deadline the
 * barrier looks once more, so a deadline in the past is a poll. After -ETIMEDOUT the barrier stays
 * usable and what was read stays counted. */
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

/* What went wrong in attach: the variable (never NULL after a failure) and what is wrong with it. */
struct syncspawn_attach_error {
    const char *variable;
    char message[256];
};

/* Takes over the barrier that this program was executed with: reads the four SYNCSPAWN_BARRIER_*
 * variables, checks them and the descriptors they name strictly, makes the descriptors close-on-exec
 * again and removes the variables whatever the result. Call it early: like unsetenv(3) it must not
 * run while another thread uses the environment. error may be NULL.
 * Errors: -ENOENT nothing was handed over; -EINVAL a variable is missing or malformed; -EPROTO
 * another version; -ESRCH meant for another process; -EBADF not open; -EPROTOTYPE a descriptor of
 * the wrong kind, object or access mode. */
SYNCSPAWN_API int syncspawn_barrier_attach(struct syncspawn_barrier *barrier,
                                           struct syncspawn_attach_error *error);

/* Which process the variables may have been written for. */
enum syncspawn_attach_for {
    SYNCSPAWN_THIS_PROCESS = 0,  /* as syncspawn_barrier_attach: a program attaches for itself */
    SYNCSPAWN_CALLING_SCRIPT = 1 /* or its parent or an ancestor: a command of a script, a program
                                    below timeout(1), sh -c, su -c */
};

/* The same for another process. Only one may speak for a side at a time. */
SYNCSPAWN_API int syncspawn_barrier_attach_for(struct syncspawn_barrier *barrier,
                                               enum syncspawn_attach_for whom,
                                               struct syncspawn_attach_error *error);

/* The four variables, each as "NAME=value": ready for an envp array or for putenv(3). */
struct syncspawn_barrier_environment {
    char local_fd[48];
    char remote_fd[48];
    char pipe_fd[48];
    char state[256];
};

/* Prepares execve by *this* process: moves the descriptors to numbers of at least lowest_fd (and at
 * least 10), lets them survive execve and writes the variables. Needs a role; -EINVAL without one.
 * After a failed execve destroy the barrier, or export it again: it is still usable. */
SYNCSPAWN_API int syncspawn_barrier_export(struct syncspawn_barrier *barrier, int lowest_fd,
                                           struct syncspawn_barrier_environment *environment);

#ifdef __cplusplus
}
#endif

#endif
