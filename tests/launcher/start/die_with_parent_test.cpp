#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/cat.hpp"
#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

// `ending.die_with_parent`: the program lives as long as the process that launched it, not as
// long as the thread that called spawn().

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// A peer that launches and lives on until it is killed.
template <class Launch>
Peer living_parent(const Gate& launched, Launch launch) {
    return Peer([&] {
        launch();
        launched.open();
        for (;;) {
            pause();
        }
    });
}

// In turn, where the machine has both.
template <class Body>
void with_each_method(Body body) {
    for (const StartMethod method : {StartMethod::copied_memory, StartMethod::shared_memory}) {
        if (method == StartMethod::shared_memory && !memory_can_be_shared()) {
            leave_out("no child can share memory here: copied memory alone");
            continue;
        }
        CAPTURE(static_cast<int>(method));
        body(method);
    }
}

}  // namespace

TEST_CASE("a program that is to die with its parent outlives the thread that launched it") {
    with_each_method([](StartMethod method) {
        Cat cat;
        const Gate launched;
        Peer parent = living_parent(
            launched, [&] { on_a_short_lived_thread([&] { cat.launch(method, true); }); });
        REQUIRE(launched.wait());
        CHECK(cat.repeats());
        parent.send(SIGKILL);
        CHECK(parent.ending() == "killed by SIGKILL");
        CHECK(cat.ending() == "killed by SIGKILL");
    });
}

TEST_CASE("a program that is to die with its parent does so when that exits") {
    with_each_method([](StartMethod method) {
        Cat cat;
        Peer parent([&] { cat.launch(method, true); });
        CHECK(parent.ending() == reached_the_end);
        CHECK(cat.ending() == "killed by SIGKILL");
    });
}

TEST_CASE("without the option a program survives its parent") {
    with_each_method([](StartMethod method) {
        Cat cat;
        const Gate launched;
        Peer parent = living_parent(
            launched, [&] { on_a_short_lived_thread([&] { cat.launch(method, false); }); });
        REQUIRE(launched.wait());
        CHECK(cat.repeats());
        parent.send(SIGKILL);
        CHECK(parent.ending() == "killed by SIGKILL");
        CHECK(cat.repeats());
    });
}

TEST_CASE("the end of idle threads does not end a program that is to die with its parent") {
    with_each_method([](StartMethod method) {
        Cat cat;
        const Gate launched;
        Peer parent = living_parent(launched, [&] {
            cat.launch(method, true);
            SyncedSpawner::end_idle_threads();
        });
        REQUIRE(launched.wait());
        CHECK(cat.repeats());
        parent.send(SIGKILL);
        CHECK(parent.ending() == "killed by SIGKILL");
        CHECK(cat.ending() == "killed by SIGKILL");
    });
}

TEST_CASE("a program that is to die with its parent dies with the fork that launched it") {
    with_each_method([](StartMethod method) {
        Cat first;
        Cat second;
        const Gate launched;
        Peer parent = living_parent(launched, [&] {
            first.launch(method, true);
            Peer forked([&] { second.launch(method, true); });
            expect_same(forked.ending().c_str(), reached_the_end.c_str());
        });
        REQUIRE(launched.wait());
        CHECK(first.repeats());
        CHECK(second.ending() == "killed by SIGKILL");
        parent.send(SIGKILL);
        CHECK(parent.ending() == "killed by SIGKILL");
        CHECK(first.ending() == "killed by SIGKILL");
    });
}

TEST_CASE("launches of many threads die with their parent, whatever becomes of the threads") {
    with_each_method([](StartMethod method) {
        Cat cats[8];
        const Gate launched;
        Peer parent = living_parent(launched, [&] {
            std::vector<std::thread> threads;
            for (Cat& cat : cats) {
                threads.emplace_back([&cat, method] { cat.launch(method, true); });
            }
            for (std::thread& thread : threads) {
                thread.join();
            }
        });
        REQUIRE(launched.wait());
        for (const Cat& cat : cats) {
            CHECK(cat.repeats());
        }
        parent.send(SIGKILL);
        CHECK(parent.ending() == "killed by SIGKILL");
        for (Cat& cat : cats) {
            CHECK(cat.ending() == "killed by SIGKILL");
        }
    });
}

TEST_CASE("with the option the program still has the caller's signal mask") {
    with_each_method([](StartMethod method) {
        Peer peer([&] {
            sigset_t mask;
            sigemptyset(&mask);
            sigaddset(&mask, SIGUSR1);
            sigprocmask(SIG_SETMASK, &mask, nullptr);
            SpawnOptions options{.program = "/bin/grep",
                                 .arguments = {"^SigBlk:", "/proc/self/status"},
                                 .birth = {.method = method},
                                 .ending = {.die_with_parent = true}};
            expect_same(output_of(options).c_str(), "SigBlk:\t0000000000000200\n");
            sigset_t after;
            sigprocmask(SIG_SETMASK, nullptr, &after);
            expect(sigismember(&after, SIGUSR1) == 1 && sigismember(&after, SIGUSR2) == 0);
        });
        CHECK(peer.ending() == reached_the_end);
    });
}

TEST_CASE("a part fails with the option as it does without") {
    with_each_method([](StartMethod method) {
        SyncedSpawner spawner(
            {.program = "true", .birth = {.method = method}, .ending = {.die_with_parent = true}});
        spawner.step({.name = "x", .child = shared_memory([](ChildSide& side) {
                                       return side.fail(EIO, "call");
                                   })});
        CHECK(std::string(failure_of(spawner).what()) ==
              "x in the child: call: input/output error");
        CHECK(count_children() == 0);
    });
}

TEST_CASE("a child that is to die with its parent never has what the caller has given up") {
    Peer peer([] {
        const auto launch = [](SpawnError& error) {
            const SyncedSpawner spawner({.program = "grep",
                                         .arguments = {"-q", "NoNewPrivs:.1", "/proc/self/status"},
                                         .ending = {.die_with_parent = true}});
            Process process = spawner.spawn(error);
            return process && process.wait().success();
        };
        SpawnError error;
        std::thread([&] {
            expect(!launch(error));  // nothing is given up yet
            expect_same(error.what(), "no error");
        }).join();
        std::thread([&] {
            expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
            expect(!launch(error));
            expect(error.code() == std::errc::operation_not_permitted);
            expect(!error.program_may_have_run());
        }).join();
        expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        expect(launch(error));  // the first thread starts its children itself
    });
    CHECK(peer.ending() == reached_the_end);
}
