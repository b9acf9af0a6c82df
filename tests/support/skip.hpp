#pragma once

#include <string>

// What to do in a test that this machine cannot run. Continuous integration lists every reason, and a
// test case that neither asserts anything nor gives a reason fails (doctest_main.cpp).

namespace syncspawn::testing {

// Says why the rest of the running test case, or of its subcase, is left out. The caller leaves it then.
void leave_out(const std::string& reason);

}  // namespace syncspawn::testing

// The same, and leaves.
#define SKIP_TEST(reason)                        \
    do {                                         \
        ::syncspawn::testing::leave_out(reason); \
        return;                                  \
    } while (false)
