#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "launcher/sandbox/landlock/plan.hpp"
#include "scene.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using sandbox::LandlockAccess;
using sandbox::LandlockLog;
using sandbox::LandlockOptions;
using sandbox::LandlockParts;
using sandbox::LandlockPaths;
using sandbox::LandlockRules;
using sandbox::LandlockScopes;
using sandbox::TcpPorts;

namespace {

constexpr LandlockParts all_parts = LandlockParts::move | LandlockParts::truncate |
                                    LandlockParts::tcp_ports | LandlockParts::control |
                                    LandlockParts::abstract_sockets | LandlockParts::signals |
                                    LandlockParts::log;

LandlockRules everything(const std::string& writable) {
    return {.paths = LandlockPaths{{"/", LandlockAccess::read_only},
                                   {writable, LandlockAccess::read_write}},
            .bind_ports = TcpPorts{},
            .connect_ports = TcpPorts{443},
            .scopes = LandlockScopes::abstract_sockets | LandlockScopes::signals};
}

// The text of the error of landlock() on such a kernel.
std::string refusal_of(int version, const LandlockRules& rules,
                       const LandlockOptions& options = {}) {
    try {
        (void)sandbox::landlock_for({.version = version}, rules, options);
        return {};
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::operation_not_supported);
        return error.what();
    }
}

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

// In a peer: what a kernel without Landlock answers.
void expect_absence(int error, const char* reason) {
    refuse_system_calls({SYS_landlock_create_ruleset}, error);
    expect_same(sandbox::landlock_version(), 0);
    try {
        (void)sandbox::landlock({.paths = LandlockPaths{{"/"}}}, {.may_be_missing = all_parts});
        expect(false);
    } catch (const std::system_error& refused) {
        expect_same(refused.code().value(), error);
        expect(contains(refused.what(), reason));
    }
}

}  // namespace

TEST_CASE("each version of Landlock lacks what later ones brought") {
    const LandlockOptions options{.log = LandlockLog::refusals};
    const auto missing = [&](int version) {
        return to_string(sandbox::plan_for(version, everything("/tmp"), options).missing);
    };
    CHECK(missing(7).empty());
    CHECK(missing(6) == "logging of what the program is refused (Linux 6.15)");
    CHECK(missing(5) == "abstract sockets (Linux 6.12), signals (Linux 6.12), " + missing(6));
    CHECK(missing(4) == "ioctl on devices (Linux 6.10), " + missing(5));
    CHECK(missing(3) == "TCP ports (Linux 6.7), ioctl on devices (Linux 6.10), " + missing(5));
    CHECK(contains(missing(2), "truncating (Linux 6.2), TCP ports"));
    CHECK(contains(missing(1), "renaming to another directory (Linux 5.19), truncating"));
}

TEST_CASE("only what the rules want can be missing") {
    using sandbox::plan_for;
    CHECK(plan_for(1, {.bind_ports = TcpPorts{}}, {}).missing == LandlockParts::tcp_ports);
    CHECK(plan_for(1, {.scopes = LandlockScopes::signals}, {}).missing == LandlockParts::signals);
    CHECK(plan_for(1, {.paths = LandlockPaths{{"/"}}}, {}).missing ==
          (LandlockParts::truncate | LandlockParts::control));
}

TEST_CASE("strict is the default: the error names what is missing and what brings it") {
    const std::string error = refusal_of(3, everything("/tmp"));
    CHECK(contains(error, "version 3"));
    CHECK(
        contains(error, "TCP ports (Linux 6.7), ioctl on devices (Linux 6.10), abstract sockets"));
    const LandlockOptions some{.may_be_missing = LandlockParts::tcp_ports | LandlockParts::signals};
    const std::string rest = refusal_of(3, everything("/tmp"), some);
    CHECK(contains(rest, "ioctl on devices (Linux 6.10), abstract sockets (Linux 6.12)"));
    CHECK_FALSE(contains(rest, "TCP"));
    CHECK_FALSE(contains(rest, "signals"));
}

TEST_CASE("what may be missing is, and the rest holds") {
    if (sandbox::landlock_version() < 6) {
        SKIP_TEST("this kernel has no Landlock of that version");
    }
    for (int version = 1; version <= 7; ++version) {
        CAPTURE(version);
        const Scene scene;
        const Step step =
            sandbox::landlock_for({.version = version}, everything(scene / "in"),
                                  {.may_be_missing = all_parts, .log = LandlockLog::refusals});
        const auto outcome = [&](const Attempt& attempt) {
            return outcome_of(attempt, {steps::no_new_privileges(), step});
        };
        CHECK(outcome({"write", scene / "out/file"}) == EACCES);
        CHECK(outcome({"write", scene / "in/file"}) == 0);
        CHECK(outcome({"rename", scene / "in/file", scene / "out/file"}) != 0);
        CHECK(outcome({"truncate", scene / "out/file"}) == (version < 3 ? 0 : EACCES));
        CHECK(outcome({"bind", "0"}) == (version < 4 ? 0 : EACCES));
        CHECK(outcome({"signal", std::to_string(getpid())}) == (version < 6 ? 0 : EPERM));
    }
}

TEST_CASE("where all that the rules are about may be missing, and is, the step does nothing") {
    const Step step = sandbox::landlock_for({.version = 1}, {.bind_ports = TcpPorts{}},
                                            {.may_be_missing = LandlockParts::tcp_ports});
    CHECK(outcome_of({"bind", "0"}, {step}) == 0);
}

TEST_CASE("a kernel without Landlock is told from one where it is switched off or refused") {
    Peer absent([] { expect_absence(ENOSYS, "this kernel has no Landlock"); });
    CHECK(absent.ending() == reached_the_end);
    Peer off([] { expect_absence(EOPNOTSUPP, "lsm="); });
    CHECK(off.ending() == reached_the_end);
    Peer refused([] { expect_absence(EPERM, "seccomp filter"); });
    CHECK(refused.ending() == reached_the_end);
}

TEST_CASE("a filter that refuses the child's call fails the launch") {
    if (sandbox::landlock_version() == 0) {
        SKIP_TEST("this kernel has no Landlock");
    }
    Peer peer([] {
        refuse_system_calls({SYS_landlock_restrict_self}, ENOSYS);
        SyncedSpawner spawner({.program = "true"});
        for (const Step& step :
             held_to({.paths = LandlockPaths{{"/"}}}, {.may_be_missing = all_parts})) {
            spawner.step(step);
        }
        expect(contains(failure_of(spawner).what(),
                        "landlock in the child: landlock_restrict_self: "));
    });
    CHECK(peer.ending() == reached_the_end);
}
