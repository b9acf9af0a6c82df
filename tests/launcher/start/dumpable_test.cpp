#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/peer.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"
#include "support/ways_to_launch.hpp"

// Credentials::change: the "dumpable" flag of memory that a child shares.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

constexpr uid_t nobody = 65534;

int dumpable() noexcept { return prctl(PR_GET_DUMPABLE); }

std::error_code become_nobody(ChildSide& side) noexcept {
    return syscall(SYS_setresuid, nobody, nobody, nobody) < 0 ? side.fail("setresuid")
                                                              : side.done();
}

// The part of the child, and what the parent does when the child has done it.
Step changing(ParentPart parent) {
    return {.name = "x",
            .child = changing_credentials(become_nobody),
            .parent = std::move(parent),
            .order = StepOrder::child_first};
}

Step failing_in_the_child() {
    return {.name = "y",
            .child = shared_memory([](ChildSide& side) { return side.fail(EIO, "no"); })};
}

SyncedSpawner shared_spawner(SpawnOptions options) {
    return SyncedSpawner(with_shared_memory(std::move(options)));
}

const SpawnOptions program_true{.program = "true"};

// A launch that the test drives, held by a part of its parent.
class Held {
public:
    Held(Step step, const Event& until) {
        SyncedSpawner spawner = shared_spawner(program_true);
        spawner.step(std::move(step));
        spawner.step({.name = "held",
                      .child = shared_memory([](ChildSide&) {}),
                      .parent =
                          [&](ParentSide& side) {
                              is_there_ = true;
                              return until.is_signalled() ? side.done() : side.wait_for(until.fd());
                          },
                      .order = StepOrder::child_first});
        launch_ = spawner.launch();
        while (!is_there_) {
            CHECK_FALSE(launch_.advance());
            if (!is_there_) {
                await_event(launch_.descriptor());
            }
        }
    }
    std::string finish() {
        while (!launch_.advance()) {
            await_event(launch_.descriptor());
        }
        SpawnError error;
        CHECK(launch_.take_process(error).wait().success());
        return error.what();
    }
    void drop() { launch_ = Launch(); }

private:
    bool is_there_ = false;
    Launch launch_;
};

Step empty_step() {
    return {.name = "e", .child = shared_memory([](ChildSide&) {})};
}

#define RETURN_UNLESS_ROOT_CAN_SHARE_MEMORY()          \
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();              \
    if (geteuid() != 0) {                              \
        SKIP_TEST("only root can change credentials"); \
    }                                                  \
    REQUIRE(dumpable() == 1)

}  // namespace

TEST_CASE("the flag is cleared while the child shares memory, and back after success") {
    RETURN_UNLESS_ROOT_CAN_SHARE_MEMORY();
    for (const Way way : both_ways) {
        const NothingIsLeft nothing_is_left;
        int meanwhile = -1;
        SyncedSpawner spawner = shared_spawner(shell("test $(id -u) = 65534"));
        spawner.step(changing([&](ParentSide&) { meanwhile = dumpable(); }));
        SpawnError error;
        Process process = way(spawner, error);
        REQUIRE(process);
        CHECK(process.start_method() == StartMethod::shared_memory);
        CHECK(meanwhile == 0);
        CHECK(dumpable() == 1);
        CHECK(process.wait().success());
    }
}

TEST_CASE("it is back however the launch fails") {
    RETURN_UNLESS_ROOT_CAN_SHARE_MEMORY();
    for (const Way way : both_ways) {
        const NothingIsLeft nothing_is_left;
        const auto check_with = [&](SpawnOptions options, Step further) {
            int meanwhile = -1;
            SyncedSpawner spawner = shared_spawner(std::move(options));
            spawner.step(changing([&](ParentSide&) { meanwhile = dumpable(); }));
            spawner.rendezvous("both").step(std::move(further));
            std::string text = text_after(way, spawner);
            CHECK(meanwhile == 0);
            CHECK(dumpable() == 1);
            return text;
        };
        CHECK(check_with(program_true, {.name = "y", .parent = [](ParentSide& side) {
                                            return side.fail(EIO, "no");
                                        }}) == "y in the parent: no: input/output error");
        CHECK(check_with(program_true, {.name = "y", .child = shared_memory([](ChildSide& side) {
                                                         return side.fail(EIO, "no");
                                                     })}) ==
              "y in the child: no: input/output error");
        CHECK(check_with({.program = "/nowhere"}, empty_step()).starts_with("execve"));
        CHECK(check_with(program_true, {.name = "y", .child = shared_memory([](ChildSide&) {
                                                         syscall(SYS_kill, getpid(), SIGKILL);
                                                     })})
                  .find("SIGKILL") != std::string::npos);
        // It sleeps for ever, and is killed for that.
        const Event cancels;
        CHECK(check_with({.program = "true",
                          .setup = {.cancel_when_readable = cancels.fd(), .abort_grace = 1ms}},
                         {.name = "y",
                          .child = shared_memory([](ChildSide&) {
                              for (;;) {
                                  pause();
                              }
                          }),
                          .parent = [&](ParentSide&) { cancels.signal(); }}) ==
              "the launch was cancelled");
        CHECK(check_with({.program = "true", .readiness = {.within = 1ms}}, empty_step()) !=
              "no error");
    }
}

TEST_CASE("what it was before is what it is afterwards, unless somebody raises it meanwhile") {
    RETURN_UNLESS_ROOT_CAN_SHARE_MEMORY();
    SyncedSpawner spawner = shared_spawner(program_true);
    bool raises = false;
    spawner.step(changing([&](ParentSide&) {
        if (raises) {
            prctl(PR_SET_DUMPABLE, 1);
        }
    }));
    for (const int before : {0, 1}) {
        for (const bool does : {false, true}) {
            raises = does;
            prctl(PR_SET_DUMPABLE, before);
            CHECK(spawner.spawn().wait().success());
            CHECK(dumpable() == (does ? 1 : before));
        }
    }
    prctl(PR_SET_DUMPABLE, 1);
}

TEST_CASE("while any child shares memory it stays cleared, whichever launch ends first") {
    RETURN_UNLESS_ROOT_CAN_SHARE_MEMORY();
    const NothingIsLeft nothing_is_left;
    for (const bool other_changes : {false, true}) {
        for (const bool is_dropped : {false, true}) {
            const Event first_goes_on;
            const Event second_goes_on;
            Held first(changing([](ParentSide&) {}), first_goes_on);
            CHECK(dumpable() == 0);
            // A bare one, which suspends the caller, comes and goes.
            CHECK(shared_spawner(program_true).spawn().wait().success());
            CHECK(dumpable() == 0);
            Held second(other_changes ? changing([](ParentSide&) {}) : empty_step(),
                        second_goes_on);
            if (is_dropped) {
                first.drop();
            } else {
                first_goes_on.signal();
                CHECK(first.finish() == "no error");
            }
            CHECK(dumpable() == 0);
            second_goes_on.signal();
            CHECK(second.finish() == "no error");
            CHECK(dumpable() == 1);
        }
    }
}

TEST_CASE("launches of four threads at once leave it as it was") {
    RETURN_UNLESS_ROOT_CAN_SHARE_MEMORY();
    constexpr int launches = 30;
    SyncedSpawner good = shared_spawner(program_true);
    good.step(changing([](ParentSide&) {}));
    SyncedSpawner bad = good;
    bad.step(failing_in_the_child());
    const SyncedSpawner bare = shared_spawner(program_true);
    std::atomic<int> ended{0};
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; ++number) {
        threads.emplace_back([&] {
            for (int count = 0; count < launches; ++count) {
                SpawnError error;
                ended += good.spawn(error).wait().success() ? 1 : 0;
                ended += bad.spawn(error) ? 0 : 1;
                ended += bare.spawn(error).wait().success() ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(ended == 4 * 3 * launches);
    CHECK(dumpable() == 1);
}

TEST_CASE("the copy that fork makes meanwhile has the flag back at once") {
    RETURN_UNLESS_ROOT_CAN_SHARE_MEMORY();
    const Event goes_on;
    Held held(changing([](ParentSide&) {}), goes_on);
    Peer copy([&] {
        expect(dumpable() == 1);
        held.drop();
        SyncedSpawner spawner = shared_spawner(program_true);
        spawner.step(changing([](ParentSide&) { expect(dumpable() == 0); }));
        expect(spawner.spawn().wait().success());
        expect(dumpable() == 1);
    });
    CHECK(copy.ending() == reached_the_end);
    CHECK(dumpable() == 0);
    goes_on.signal();
    CHECK(held.finish() == "no error");
    CHECK(dumpable() == 1);
}

TEST_CASE("the parent-death signal is set again behind it") {
    RETURN_UNLESS_ROOT_CAN_SHARE_MEMORY();
    std::atomic<int> signal{0};
    std::atomic<int>* const seen = &signal;
    SyncedSpawner spawner = shared_spawner(program_true);
    spawner.step(changing([](ParentSide&) {}));
    spawner.step({.name = "look", .child = shared_memory([seen](ChildSide& side) {
                                      int is = 0;
                                      const bool is_known = prctl(PR_GET_PDEATHSIG, &is) == 0;
                                      *seen = is;
                                      return is_known ? side.done() : side.fail("prctl");
                                  })});
    CHECK(spawner.spawn().wait().success());
    CHECK(signal == SIGKILL);
}

TEST_CASE("a last part cannot change credentials, since nothing sets that signal again") {
    SyncedSpawner spawner(program_true);
    CHECK_THROWS_AS(spawner.step({.name = "x", .last = changing_credentials(become_nobody)}),
                    std::invalid_argument);
}
