#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <syncspawn/barrier.h>

int main(void) {
    struct syncspawn_barrier barrier;
    if (syncspawn_barrier_create(&barrier) != 0) return 1;

    pid_t child = fork();
    if (child < 0) return 2;
    enum syncspawn_role role = child == 0 ? SYNCSPAWN_CHILD : SYNCSPAWN_PARENT;
    if (syncspawn_barrier_set_role(&barrier, role) != 0) _exit(3);
    if (syncspawn_barrier_place_and_sync(&barrier) != 1) _exit(4);
    syncspawn_barrier_destroy(&barrier);
    if (child == 0) _exit(0);

    int status = 0;
    if (waitpid(child, &status, 0) != child) return 5;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 6;
}
