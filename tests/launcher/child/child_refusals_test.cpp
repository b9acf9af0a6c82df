#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "support/launched.hpp"
#include "support/shared_memory.hpp"

// What a filter refuses to the child is an error, not a program that runs with less than was asked for.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

void expect_refusal(const SpawnError& error, const char* call) {
    if (std::string(error.what()).find(call) == std::string::npos) {
        expect_same(error.what(), call);
    }
    expect(error.code() == std::errc::operation_not_permitted);
    expect_same(static_cast<long long>(count_children()), 0);
}

}  // namespace

TEST_CASE("without a parent-death signal nothing is launched that is to die with its parent") {
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        Peer peer([method] {
            refuse_system_calls({SYS_prctl}, EPERM);
            expect_refusal(failure_of({.program = "true",
                                       .birth = {.method = method},
                                       .ending = {.die_with_parent = true}}),
                           "prctl(PR_SET_PDEATHSIG)");
            // Nobody asked for it, and the setup has other ways to learn of its parent's death.
            expect_same(output_of({.program = "true", .birth = {.method = method}}).c_str(), "");
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("a parent-death signal that cannot be taken back fails the launch") {
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        Peer peer([method] {
            SyncedSpawner spawner({.program = "true", .birth = {.method = method}});
            spawner.step({.name = "filter", .child = shared_memory([](ChildSide&) {
                                                refuse_system_calls({SYS_prctl}, EPERM);
                                            })});
            expect_refusal(failure_of(spawner), "prctl(PR_SET_PDEATHSIG)");
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("a signal mask that cannot be restored fails the launch") {
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        Peer peer([method] {
            SyncedSpawner spawner({.program = "true", .birth = {.method = method}});
            spawner.step({.name = "filter", .child = shared_memory([](ChildSide&) {
                                                refuse_system_calls({SYS_rt_sigprocmask}, EPERM);
                                            })});
            expect_refusal(failure_of(spawner), "rt_sigprocmask");
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("signals that cannot be reset fail the launch") {
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        Peer peer([method] {
            signal(SIGUSR1, SIG_IGN);
            refuse_system_calls({SYS_rt_sigaction}, EPERM);
            expect_refusal(failure_of({.program = "true",
                                       .birth = {.method = method},
                                       .signals = {.ignored = IgnoredSignals::reset}}),
                           "rt_sigaction");
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("the signals of the program are reset, kept and blocked as asked") {
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        Peer peer([method] {
            signal(SIGUSR1, SIG_IGN);
            signal(SIGRTMAX, SIG_IGN);
            signal(SIGUSR2, [](int) {});
            SpawnOptions options{.program = "/bin/grep",
                                 .arguments = {"-E", "^Sig(Blk|Ign):", "/proc/self/status"},
                                 .birth = {.method = method}};
            options.signals.mask.emplace();
            sigemptyset(&*options.signals.mask);
            sigaddset(&*options.signals.mask, SIGTERM);
            sigaddset(&*options.signals.mask, SIGRTMAX);
            expect_same(output_of(options).c_str(),
                        "SigBlk:\t8000000000004000\n"
                        "SigIgn:\t8000000000000200\n");
            options.signals.ignored = IgnoredSignals::reset;
            expect_same(output_of(options).c_str(),
                        "SigBlk:\t8000000000004000\n"
                        "SigIgn:\t0000000000000000\n");
        });
        CHECK(peer.ending() == reached_the_end);
    }
}
