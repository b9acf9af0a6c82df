/* The child's side of a rendezvous in a program that does not know this library: environment,
 * 8-byte writes and reads, and poll(2). Ends with 42 after one rendezvous. */

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int number(const char *name) {
    const char *value = getenv(name);
    return value != NULL ? atoi(value) : -1;
}

int main(void) {
    const int local = number("SYNCSPAWN_BARRIER_LOCAL_FD");
    const int remote = number("SYNCSPAWN_BARRIER_REMOTE_FD");
    struct pollfd watched[2] = {{number("SYNCSPAWN_BARRIER_PIPE_FD"), 0, 0}, {remote, POLLIN, 0}};
    const uint64_t one = 1;
    uint64_t count = 0;
    if (write(local, &one, sizeof one) != sizeof one) {
        return 3;
    }
    if (poll(watched, 2, -1) < 0 || watched[1].revents == 0) {
        return 4; /* the other side is gone, and had not placed */
    }
    if (read(remote, &count, sizeof count) != sizeof count) {
        return 5;
    }
    return count >= INT64_MAX ? 6 /* aborted */ : 42;
}
