#pragma once

#include <doctest/doctest.h>
#include <sys/resource.h>

namespace syncspawn::testing {

// Many launches at once need more descriptors than the usual soft limit gives. False if there may not be that
// many.
inline bool raise_descriptor_limit(rlim_t wanted) {
    rlimit limit{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    return limit.rlim_cur >= wanted;
}

}  // namespace syncspawn::testing
