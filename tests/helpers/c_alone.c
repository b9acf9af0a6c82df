/* A C program that meets its child, which hands the barrier on to this program, and meets that: linked
 * without the C++ run time, and against other C libraries too. Ends with 42. */
#define _XOPEN_SOURCE 700 /* NOLINT(bugprone-reserved-identifier): for fork and putenv */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <syncspawn/barrier.h>

#define REQUIRE(condition)                                          \
    if (!(condition)) {                                             \
        fprintf(stderr, "line %d: not %s\n", __LINE__, #condition); \
        _exit(1);                                                   \
    }

static void be_the_program(void) {
    struct syncspawn_barrier barrier;
    struct syncspawn_attach_error error;
    REQUIRE(syncspawn_barrier_attach(&barrier, &error) == 0);
    REQUIRE(barrier.role == SYNCSPAWN_CHILD && barrier.seen >= 1);
    REQUIRE(syncspawn_barrier_place_and_sync(&barrier) == 1);
    REQUIRE(syncspawn_barrier_attach(&barrier, &error) == -ENOENT);
    REQUIRE(strstr(error.message, "SYNCSPAWN_BARRIER_STATE: not set") == error.message);
}

static void be_the_child(struct syncspawn_barrier *barrier, char *self) {
    static struct syncspawn_barrier_environment environment;
    char executed[] = "executed";
    char *arguments[] = {self, executed, NULL};
    REQUIRE(syncspawn_barrier_set_role(barrier, SYNCSPAWN_CHILD) == 0);
    REQUIRE(syncspawn_barrier_place_and_sync(barrier) == 1);
    REQUIRE(syncspawn_barrier_export(barrier, 10, &environment) == 0);
    REQUIRE(putenv(environment.local_fd) == 0 && putenv(environment.remote_fd) == 0);
    REQUIRE(putenv(environment.pipe_fd) == 0 && putenv(environment.state) == 0);
    execv(self, arguments);
    _exit(2);
}

int main(int argc, char **argv) {
    struct syncspawn_barrier barrier;
    pid_t child = -1;
    int status = 0;
    if (argc > 1) {
        be_the_program();
        return 0;
    }
    REQUIRE(syncspawn_barrier_create(&barrier) == 0);
    child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        be_the_child(&barrier, argv[0]);
    }
    REQUIRE(syncspawn_barrier_set_role(&barrier, SYNCSPAWN_PARENT) == 0);
    REQUIRE(syncspawn_barrier_place_and_sync(&barrier) == 1);
    REQUIRE(syncspawn_barrier_place_and_sync(&barrier) == 1);
    REQUIRE(syncspawn_barrier_wait_abortion(&barrier) == 1); /* it has ended */
    syncspawn_barrier_destroy(&barrier);
    REQUIRE(waitpid(child, &status, 0) == child && status == 0);
    return 42;
}
