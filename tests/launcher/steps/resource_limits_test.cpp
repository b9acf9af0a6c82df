#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string>

#include <syncspawn/launcher.hpp>
#include <syncspawn/steps.hpp>

#include "support/observe.hpp"
#include "support/shared_memory.hpp"
#include "support/steps.hpp"
#include "support/ways_to_launch.hpp"

// steps::resource_limits().

using namespace syncspawn;
using namespace syncspawn::steps;
using namespace syncspawn::testing;

namespace {

const SpawnOptions program_true{.program = "true"};
const std::string bare_program = SYNCSPAWN_TEST_HELPERS "/bare_program";

// "64 64", of a line of /proc/PID/limits.
std::string limits_in(const std::string& text, const std::string& name) {
    std::istringstream line(text.substr(text.find(name) + name.size()));
    std::string soft;
    std::string hard;
    line >> soft >> hard;
    return soft + " " + hard;
}

std::string limits_with(const std::string& name, std::vector<ResourceLimit> limits,
                        StartMethod method = StartMethod::automatic) {
    return limits_in(
        output_with(
            {.program = "cat", .arguments = {"/proc/self/limits"}, .birth = {.method = method}},
            resource_limits(std::move(limits))),
        name);
}

rlimit present(int resource) {
    rlimit limit{};
    REQUIRE(syscall(SYS_prlimit64, 0, resource, nullptr, &limit) == 0);
    return limit;
}

// In a peer, which has its own.
void set_present(int resource, rlim_t soft, rlim_t hard) {
    const rlimit limit{soft, hard};
    expect(syscall(SYS_prlimit64, 0, resource, &limit, nullptr) == 0);
}

std::string refusal_of(std::vector<ResourceLimit> limits) {
    return thrown_by<std::invalid_argument>([&] { (void)resource_limits(limits); });
}

}  // namespace

TEST_CASE("the program has the limits, however it was started, and the parent keeps its own") {
    const rlimit before = present(RLIMIT_NOFILE);
    for (const StartMethod method : start_methods()) {
        CHECK(limits_with("Max open files", {{RLIMIT_NOFILE, 50, 60}}, method) == "50 60");
        CHECK(limits_with("Max core file size", {{RLIMIT_CORE, 0, 0}, {RLIMIT_NOFILE, 50, 60}},
                          method) == "0 0");
    }
    CHECK(present(RLIMIT_NOFILE).rlim_cur == before.rlim_cur);
    CHECK(present(RLIMIT_NOFILE).rlim_max == before.rlim_max);
}

TEST_CASE("a limit that is not set stays, but a soft one is never above the hard one") {
    Peer peer([] {
        set_present(RLIMIT_FSIZE, 5000, 10000);
        const std::string name = "Max file size";
        expect(limits_with(name, {{.resource = RLIMIT_FSIZE, .soft = 4000}}) == "4000 10000");
        expect(limits_with(name, {{.resource = RLIMIT_FSIZE, .hard = 6000}}) == "5000 6000");
        expect(limits_with(name, {{.resource = RLIMIT_FSIZE, .hard = 3000}}) == "3000 3000");
        expect(limits_with(name, {{.resource = RLIMIT_FSIZE, .soft = 10000}}) == "10000 10000");
        expect(limits_with(name, {{.resource = RLIMIT_CORE, .soft = 0}}) == "5000 10000");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("every resource has its name, and may be set to what it is") {
    for (int resource = 0; resource < 16; ++resource) {
        CAPTURE(resource);
        const rlimit limit = present(resource);
        CHECK(with_step(program_true, resource_limits({{resource, limit.rlim_cur, limit.rlim_max}}))
                  .spawn()
                  .wait()
                  .success());
        CHECK(refusal_of({{resource, 2, 1}}).find("RLIMIT_") != std::string::npos);
    }
}

TEST_CASE("an unlimited resource is one without a limit") {
    Peer peer([] {
        set_present(RLIMIT_CPU, 1000, RLIM_INFINITY);
        expect(limits_with("Max cpu time", {{RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY}}) ==
               "unlimited unlimited");
    });
    CHECK(peer.ending() == reached_the_end);
}

// Open files.

TEST_CASE("a limit of open files below all that is open does not fail the launch") {
    const Event event;
    for (const Way way : both_ways) {
        for (const StartMethod method : start_methods()) {
            SpawnError error;
            const SyncedSpawner spawner =
                with_step({.program = bare_program,
                           .streams = {.input = Stdio::pipe(), .output = Stdio::pipe()},
                           .descriptors = {.passed = {{event.fd(), 20}}},
                           .birth = {.method = method},
                           .readiness = {.hand_over = HandOver::barrier}},
                          resource_limits({{RLIMIT_NOFILE, 0, 0}}));
            Process process = way(spawner, error);
            CHECK(std::string(error.what()) == "no error");
            CHECK(read_all(process.standard_output()) == "ran");
            CHECK(process.wait().code() == 42);
        }
    }
}

TEST_CASE("a later step may still open files") {
    SyncedSpawner spawner =
        with_step({.program = bare_program, .streams = {.output = Stdio::null()}},
                  resource_limits({{RLIMIT_NOFILE, 0, 0}}));
    spawner.step({.name = "opens", .child = shared_memory([](ChildSide& side) {
                                       const int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
                                       return file < 0 || close(file) < 0 ? side.fail("open")
                                                                          : side.done();
                                   })});
    CHECK(spawner.spawn().wait().code() == 42);
}

TEST_CASE("a limit of open files is raised before a step that changes the user") {
    Peer peer([] {
        set_present(RLIMIT_NOFILE, 100, 100);
        const rlimit raised{100, 101};
        if (geteuid() != 0 || setrlimit(RLIMIT_NOFILE, &raised) < 0) {
            leave_out_here("only root with CAP_SYS_RESOURCE may raise a hard limit");
        }
        SyncedSpawner spawner =
            with_step({.program = "cat",
                       .arguments = {"/proc/self/limits"},
                       .streams = {.output = Stdio::pipe()}},
                      resource_limits({{.resource = RLIMIT_NOFILE, .soft = 90, .hard = 200}}));
        spawner.step({.name = "user", .child = async_signal_safe([](ChildSide& side) {
                                          return syscall(SYS_setresuid, 65534, 65534, 65534) < 0
                                                     ? side.fail("setresuid")
                                                     : side.done();
                                      })});
        Process process = spawner.spawn();
        expect(limits_in(read_all(process.standard_output()), "Max open files") == "90 200");
        expect(process.wait().success());
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

// What the kernel refuses.

TEST_CASE("a hard limit that may not be raised is told with both numbers") {
    for (const StartMethod method : start_methods()) {
        Peer peer([&] {
            set_present(RLIMIT_CORE, 0, 0);
            become_unprivileged();
            SpawnOptions options = program_true;
            options.birth.method = method;
            expect_same(error_with(options, resource_limits({{RLIMIT_CORE, 0, 4096}})).c_str(),
                        "resource limits in the child: RLIMIT_CORE: raising the hard limit from 0 "
                        "to 4096 takes CAP_SYS_RESOURCE: operation not permitted");
            expect_same(
                error_with(options,
                           resource_limits({{.resource = RLIMIT_CORE, .hard = RLIM_INFINITY}}))
                    .c_str(),
                "resource limits in the child: RLIMIT_CORE: raising the hard limit from 0 to "
                "unlimited takes CAP_SYS_RESOURCE: operation not permitted");
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("a soft limit above the present hard one is told so") {
    Peer peer([] {
        set_present(RLIMIT_CORE, 0, 0);
        expect_same(
            error_with(program_true, resource_limits({{.resource = RLIMIT_CORE, .soft = 4096}}))
                .c_str(),
            "resource limits in the child: RLIMIT_CORE: the soft limit 4096 would be above the "
            "hard one, 0: invalid argument");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("nobody has more open files than the kernel allows, and the error says which limit") {
    const auto most = static_cast<rlim_t>(std::stoull(read_file("/proc/sys/fs/nr_open")));
    const std::string error =
        error_with(program_true, resource_limits({{RLIMIT_NOFILE, 100, most + 1}}));
    CHECK(error.find("RLIMIT_NOFILE: raising the hard limit from ") != std::string::npos);
    CHECK(error.find("up to fs.nr_open: operation not permitted") != std::string::npos);
}

TEST_CASE("what can never work is refused with the rule it breaks") {
    const std::string start = "syncspawn: resource limits: ";
    CHECK(refusal_of({{.resource = 99, .soft = 1}}) == start + "there is no resource 99");
    CHECK(refusal_of({ResourceLimit{}}) == start + "there is no resource -1");
    CHECK(refusal_of({{.resource = RLIMIT_CORE}}) ==
          start + "RLIMIT_CORE is named without a limit");
    CHECK(refusal_of({{RLIMIT_NOFILE, 2, 1}}) ==
          start + "the soft limit of RLIMIT_NOFILE is above its hard one");
    CHECK(refusal_of({{RLIMIT_CPU, 2, 3}, {RLIMIT_CPU, 3, 3}}) ==
          start + "RLIMIT_CPU is limited twice");
}
