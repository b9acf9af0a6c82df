#include "tests/support/peer.hpp"
#include "bench/clock.hpp"
