/* A program that finds its barrier, sets itself up, and says that it is ready. */
#include <stdio.h>
#include <syncspawn/barrier.h>

int main(void) {
    struct syncspawn_barrier barrier;
    struct syncspawn_attach_error error;
    if (syncspawn_barrier_attach(&barrier, &error) < 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    /* ... open the socket, load the configuration ... */
    int ready = syncspawn_barrier_place_and_sync(&barrier);
    syncspawn_barrier_destroy(&barrier);
    return ready == 1 ? 0 : 1;
}
