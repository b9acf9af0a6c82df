#include <doctest/doctest.h>

#include <syncspawn/sandbox/enforcement.hpp>

using syncspawn::sandbox::Guarantee;
using syncspawn::sandbox::name_of;

TEST_CASE("a guarantee has the name that reports and policy files use") {
    CHECK(name_of(Guarantee::files) == "files");
    CHECK(name_of(Guarantee::system_calls) == "system calls");
}
