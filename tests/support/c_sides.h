#ifndef SYNCSPAWN_TESTS_SUPPORT_C_SIDES_H
#define SYNCSPAWN_TESTS_SUPPORT_C_SIDES_H

#include <syncspawn/barrier.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sides of barriers written in C. Each returns 0, or the line of the first check that failed. */
int c_rendezvous(struct syncspawn_barrier *barrier, enum syncspawn_role role);
int c_wait_for_an_abort(struct syncspawn_barrier *barrier);
int c_abort(struct syncspawn_barrier *barrier);
int c_empty_barrier(void);

#ifdef __cplusplus
}
#endif

#endif
