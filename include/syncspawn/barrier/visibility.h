/* SYNCSPAWN_API marks what a shared library of syncspawn shows to others; all else is compiled with
 * -fvisibility=hidden. A class that is thrown or caught across the border needs the mark as well:
 * without it each side has its own type information and the catch does not match. */
#ifndef SYNCSPAWN_BARRIER_VISIBILITY_H
#define SYNCSPAWN_BARRIER_VISIBILITY_H

#define SYNCSPAWN_API __attribute__((visibility("default")))

#endif
