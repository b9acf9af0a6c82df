/* Meets the parent as often as its argument says. */
#include <stdio.h>
#include <stdlib.h>

#include <syncspawn/barrier.h>

int main(int count, char **arguments) {
    struct syncspawn_barrier barrier;
    struct syncspawn_attach_error error;
    if (syncspawn_barrier_attach(&barrier, &error) < 0) {
        fprintf(stderr, "%s: %s\n", error.variable, error.message);
        return 1;
    }
    for (int round = count > 1 ? atoi(arguments[1]) : 0; round > 0; --round) {
        if (syncspawn_barrier_place_and_sync(&barrier) != 1) {
            return 1;
        }
    }
    syncspawn_barrier_destroy(&barrier);
    return 42;
}
