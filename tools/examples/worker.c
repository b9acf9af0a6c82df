/* What the servers launch for each connection: says who it is, is ready, and then talks until SIGTERM. */
#define _POSIX_C_SOURCE 200809L /* NOLINT(bugprone-reserved-identifier): for sigaction */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <syncspawn/barrier.h>
#include <unistd.h>

static volatile sig_atomic_t is_told_to_end = 0;
static void end(int signal) {
    (void)signal;
    is_told_to_end = 1;
}

int main(void) {
    struct syncspawn_barrier barrier;
    struct syncspawn_attach_error error;
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    if (syncspawn_barrier_attach(&barrier, &error) < 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("ready as user %d\n", (int)getuid());
    if (syncspawn_barrier_place_and_sync(&barrier) != 1) {
        return 1;
    }
    syncspawn_barrier_destroy(&barrier);
    for (int number = 1; !is_told_to_end; ++number) {
        printf("line %d\n", number);
        poll(NULL, 0, 10);
    }
    printf("goodbye\n");
    return 0;
}
