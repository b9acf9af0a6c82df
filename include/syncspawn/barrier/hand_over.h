/* syncspawn: the barrier beyond execve, in C. A program that runs both by hand and from a launcher which
 * waits until it is ready:
 *
 *     #include <errno.h>
 *     #include <stdio.h>
 *
 *     #include <syncspawn/barrier.h>
 *
 *     int main(void) {
 *         struct syncspawn_barrier barrier;
 *         struct syncspawn_attach_error error;
 *         int attached = syncspawn_barrier_attach(&barrier, &error);
 *         if (attached < 0 && attached != -ENOENT) {
 *             fprintf(stderr, "%s\n", error.message);
 *             return 1;
 *         }
 *         // ... open the socket, load the configuration ...
 *         if (attached == 0 && syncspawn_barrier_place_and_sync(&barrier) != 1) return 1;
 *         // ... serve ...
 *         if (attached == 0) syncspawn_barrier_destroy(&barrier);
 *         return 0;
 *     }
 *
 * Comes with <syncspawn/barrier.h>.
 */
#ifndef SYNCSPAWN_BARRIER_HAND_OVER_H
#define SYNCSPAWN_BARRIER_HAND_OVER_H

#include <syncspawn/barrier.h>

#ifdef __cplusplus
extern "C" {
#endif

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
