#include <doctest/doctest.h>

#include <limits>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <syncspawn/sandbox/cgroup.hpp>

#include "launcher/sandbox/limits/hierarchy.hpp"
#include "launcher/sandbox/limits/settings.hpp"
#include "support/steps.hpp"

// What is written into a cgroup's files, and where such files are: no cgroup is needed for that.

using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

// "memory.max=1 pids.max=2"; a setting that is implied is in parentheses.
std::string text_of(const CgroupLimits& limits) {
    std::string text;
    for (const CgroupSetting& setting : settings_of(limits)) {
        const std::string line = setting.file + "=" + setting.text;
        text += (text.empty() ? "" : ", ") + (setting.is_implied ? "(" + line + ")" : line);
    }
    return text;
}

std::string refusal_of(const CgroupLimits& limits) {
    return thrown_by<std::invalid_argument>([&] { (void)cgroup_problems(limits); });
}

}  // namespace

TEST_CASE("each limit is a line of one of the kernel's files") {
    CHECK(text_of({}).empty());
    CHECK(text_of({.memory = 500}) == "memory.max=500, (memory.swap.max=0)");
    CHECK(text_of({.memory = 500, .swap = 7}) == "memory.max=500, memory.swap.max=7");
    CHECK(text_of({.swap = 7, .out_of_memory = OutOfMemory::kills_all}) ==
          "memory.swap.max=7, memory.oom.group=1");
    CHECK(text_of({.memory_high = 400, .io_weight = 50}) ==
          "memory.high=400, io.weight=default 50");
    CHECK(text_of({.processes = 64}) == "pids.max=64");
    CHECK(text_of({.cpus = 1.5, .cpu_weight = 20}) == "cpu.max=150000 100000, cpu.weight=20");
    CHECK(text_of({.cpus = 0.01}) == "cpu.max=1000 100000");
    CHECK(text_of({.io = {{.device = "8:16", .read_bytes = 1, .write_operations = 4},
                          {.device = "8:0", .write_bytes = 2, .read_operations = 3}}}) ==
          "io.max=8:16 rbps=1 wiops=4, io.max=8:0 wbps=2 riops=3");
    CHECK(text_of({.huge_pages = {{2U << 20U, 0}, {1U << 30U, 1U << 30U}, {64U << 10U, 5}}}) ==
          "hugetlb.2MB.max=0, (hugetlb.2MB.rsvd.max=0), hugetlb.1GB.max=1073741824, "
          "(hugetlb.1GB.rsvd.max=1073741824), hugetlb.64KB.max=5, (hugetlb.64KB.rsvd.max=5)");
}

TEST_CASE("a limit that makes no sense is refused, whatever the machine can do") {
    CHECK(refusal_of({.memory = 0}) == "syncspawn: cgroup: no program fits in a memory of 0 bytes");
    CHECK(refusal_of({.processes = 0}) == "syncspawn: cgroup: no program fits in 0 processes");
    for (const double cpus : {0.0, -1.0, 0.009, 1e7, std::numeric_limits<double>::quiet_NaN(),
                              std::numeric_limits<double>::infinity()}) {
        CAPTURE(cpus);
        CHECK(refusal_of({.cpus = cpus}) ==
              "syncspawn: cgroup: cpus is a number from 0.01 to 1000000");
    }
    for (const unsigned weight : {0U, 10'001U}) {
        CHECK(refusal_of({.cpu_weight = weight}) ==
              "syncspawn: cgroup: cpu_weight is a number from 1 to 10000");
        CHECK(refusal_of({.io_weight = weight}) ==
              "syncspawn: cgroup: io_weight is a number from 1 to 10000");
    }
    CHECK(refusal_of({.huge_pages = {{3000, 1}}}) ==
          "syncspawn: cgroup: 3000 bytes is the size of no huge page");
    CHECK(refusal_of({.io = {{.device = "8:0"}}}) == "syncspawn: cgroup: '8:0' has no limit");
    CHECK(refusal_of({.io = {{.device = "8:0", .read_bytes = 0}}}) ==
          "syncspawn: cgroup: 0 operations would stop the program for good");
    CHECK(refusal_of({.io = {{.device = "sda", .read_bytes = 1}}}) ==
          R"(syncspawn: cgroup: 'sda' is no device: say "/dev/sda" or "8:0")");
    CHECK(refusal_of({.io = {{.device = "/dev/null", .read_bytes = 1}}}) ==
          "syncspawn: cgroup: '/dev/null' is no block device");
    CHECK_THROWS_AS((void)cgroup_problems({.io = {{.device = "/dev/none", .read_bytes = 1}}}),
                    std::system_error);
}

TEST_CASE("a cgroup is found where it is mounted, whole or in part") {
    const auto mounts = cgroup_mounts_in(
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
        "41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw,relatime shared:9 - cgroup2 cgroup2 rw\n"
        "42 31 0:38 /docker/12 /sys/fs/cgroup ro - cgroup2 none rw,nsdelegate\n"
        "a line of another kind\n");
    REQUIRE(mounts.size() == 2);
    CHECK(mounts[0].point == "/sys/fs/cgroup/uni fied");
    CHECK(mounts[0].directory_of("/") == "/sys/fs/cgroup/uni fied");
    CHECK(mounts[0].directory_of("/a/b") == "/sys/fs/cgroup/uni fied/a/b");
    CHECK(mounts[1].root == "/docker/12");
    CHECK(mounts[1].directory_of("/docker/12") == "/sys/fs/cgroup");
    CHECK(mounts[1].directory_of("/docker/12/a") == "/sys/fs/cgroup/a");
    // Not to be seen there.
    CHECK(mounts[1].directory_of("/docker/123").empty());
    CHECK(mounts[1].directory_of("/").empty());
    CHECK(mounts[0].directory_of("/../outside").empty());
}

TEST_CASE("the cgroup of version 2 is told from those of version 1") {
    CHECK(cgroup_in("9:name=systemd:/x\n4:memory:/y\n0::/user.slice/a b\n") == "/user.slice/a b");
    CHECK(cgroup_in("4:memory:/y\n") == std::nullopt);
}
