#include <doctest/doctest.h>

#include "support/launched.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

TEST_CASE("under the thread sanitizer memory is copied, and a start that insists is told why") {
    Process process = SyncedSpawner({.program = "true"}).spawn();
    CHECK(process.start_method() == StartMethod::copied_memory);
    CHECK(process.wait().success());
    const SpawnError error =
        failure_of({.program = "true", .birth = {.method = StartMethod::shared_memory}});
    CHECK(std::string(error.what()).find("the thread sanitizer is at work") != std::string::npos);
}
