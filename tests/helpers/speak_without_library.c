/* The child's side of a rendezvous in a program that does not know this library: the environment,
 * 8-byte writes and reads, and poll(2), as barrier/README.md lists the steps. Ends with 42 after one
 * rendezvous, 6 if the other side aborted, 4 if it is gone, 3 if nothing was handed to this process. */
#define _POSIX_C_SOURCE 200809L /* NOLINT(bugprone-reserved-identifier): for fcntl and setenv */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct barrier {
    int local, remote, pipe;
};

enum { no_barrier = 3, gone = 4, failed = 5, aborted = 6, met = 42 };

static const char *const names[] = {"SYNCSPAWN_BARRIER_LOCAL_FD", "SYNCSPAWN_BARRIER_REMOTE_FD",
                                    "SYNCSPAWN_BARRIER_PIPE_FD", "SYNCSPAWN_BARRIER_STATE"};

/* One decimal number, digits only, up to `end`; -1 if it is not one, or not within the range. */
static long long number(const char *text, char end, long long lowest, long long highest) {
    char *behind = NULL;
    if (text == NULL || *text < '0' || *text > '9') {
        return -1;
    }
    errno = 0;
    const long long value = strtoll(text, &behind, 10);
    return errno == 0 && *behind == end && value >= lowest && value <= highest ? value : -1;
}

/* Step 1: field 3 of the state must be this process. */
static int is_for_this_process(const char *state) {
    if (number(state, ':', 1, 1) != 1) { /* the version */
        return 0;
    }
    const char *role = strchr(state, ':') + 1;
    if (number(role, ':', 2, 2) != 2) { /* the child's */
        return 0;
    }
    return number(strchr(role, ':') + 1, ':', 1, INT_MAX) == (long long)getpid();
}

/* A field of the state, counted from 1; a state that has too few has no such number either. */
static long long field(const char *state, int count) {
    for (; count > 1 && state != NULL; --count) {
        state = strchr(state, ':');
        state = state != NULL ? state + 1 : NULL;
    }
    return state != NULL ? number(state, strchr(state, ':') != NULL ? ':' : '\0', 0, LLONG_MAX)
                         : -1;
}

/* The number that tells eventfds apart, 0 where /proc does not say it. */
static long long eventfd_id(int fd) {
    char text[128];
    long long id = 0;
    /* NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling): glibc has no other */
    snprintf(text, sizeof text, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(text, "re");
    while (file != NULL && fgets(text, sizeof text, file) != NULL) {
        if (strncmp(text, "eventfd-id:", 11) == 0) {
            id = strtoll(text + 11, NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return id;
}

/* 0 stands for what is not known. */
static int may_be_the_same(long long one, long long other) {
    return one == 0 || other == 0 || one == other;
}

/* Step 2: the descriptors are open and of the right kind, before anything is written to them. */
static int are_the_descriptors(const int *fds, const char *state) {
    struct stat about;
    for (int index = 0; index < 3; ++index) {
        if (fds[index] < 0 || fstat(fds[index], &about) < 0) {
            return 0;
        }
        /* An eventfd is an anonymous inode, which has no type. */
        if (index < 2 ? (about.st_mode & S_IFMT) != 0 : !S_ISFIFO(about.st_mode)) {
            return 0;
        }
        const long long found = index < 2 ? eventfd_id(fds[index]) : (long long)about.st_ino;
        if (!may_be_the_same(found, field(state, 8 + index))) {
            return 0;
        }
    }
    return fds[0] != fds[1] && (fcntl(fds[2], F_GETFL) & O_ACCMODE) == O_WRONLY;
}

/* What there is to read; `count` grows by it. EAGAIN is no failure: there is nothing. */
static int take(int remote, uint64_t *count) {
    uint64_t read_now = 0;
    if (read(remote, &read_now, sizeof read_now) == sizeof read_now) {
        *count += read_now < INT64_MAX ? read_now : 0;
        return read_now < INT64_MAX ? met : aborted;
    }
    return errno == EAGAIN || errno == EINTR ? met : failed;
}

/* Step 5: a wait for the other side's place, or with POLLOUT for room: the pipe first, the counts then. */
static int look(const struct barrier *barrier, short local_event, uint64_t *count) {
    struct pollfd watched[3] = {
        {barrier->pipe, 0, 0}, {barrier->remote, POLLIN, 0}, {barrier->local, local_event, 0}};
    if (poll(watched, local_event != 0 ? 3 : 2, -1) < 0) {
        return errno == EINTR ? met : failed;
    }
    if (watched[1].revents != 0) {
        return take(barrier->remote, count);
    }
    return watched[0].revents != 0 && watched[2].revents == 0 ? gone : met;
}

/* Step 4: a place. Without room the count is read too: the other side's abort has to get through. */
static int place(const struct barrier *barrier, uint64_t *count) {
    const uint64_t one = 1;
    int end = met;
    while (end == met && write(barrier->local, &one, sizeof one) != sizeof one) {
        end = errno == EAGAIN ? look(barrier, POLLOUT, count) : errno == EINTR ? met : failed;
    }
    return end;
}

static int meet(const struct barrier *barrier) {
    uint64_t count = 0;
    int end = place(barrier, &count);
    while (end == met && count == 0) {
        end = look(barrier, 0, &count);
    }
    return end; /* a count above 1 would be kept for the next meeting */
}

/* Step 6. Without room the closed pipe says it, and this program's exit does that. */
static void give_up(const struct barrier *barrier) {
    const uint64_t word = INT64_MAX;
    if (write(barrier->local, &word, sizeof word) != sizeof word) {
        close(barrier->pipe);
    }
}

int main(void) {
    int fds[3];
    const char *state = getenv(names[3]);
    const int is_ours = state != NULL && is_for_this_process(state);
    for (int index = 0; index < 3; ++index) {
        fds[index] = (int)number(getenv(names[index]), '\0', 10, INT_MAX);
    }
    const int is_handed_over = is_ours && are_the_descriptors(fds, state);
    for (int index = 0; index < 4; ++index) {
        unsetenv(names[index]);
    }
    if (!is_handed_over) {
        return no_barrier;
    }
    for (int index = 0; index < 3; ++index) { /* step 3 */
        fcntl(fds[index], F_SETFD, FD_CLOEXEC);
    }
    const struct barrier barrier = {fds[0], fds[1], fds[2]};
    const int end = meet(&barrier);
    if (end == failed) {
        give_up(&barrier);
    }
    return end;
}
