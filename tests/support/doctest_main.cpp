#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
// With doctest's own signal handlers a forked child that aborts would report it as the parent's crash.
#define DOCTEST_CONFIG_NO_POSIX_SIGNALS
#include <doctest/doctest.h>
