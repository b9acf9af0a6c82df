#include <doctest/doctest.h>
#include <pthread.h>

#include <cerrno>
#include <stdexcept>
#include <string>

#include <syncspawn/launcher/step.hpp>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/ways_to_launch.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

SyncedSpawner spawner_of_true() { return SyncedSpawner({.program = "true"}); }

}  // namespace

TEST_CASE("after a failure what the parent did is undone, last step first") {
    std::string undone;
    SyncedSpawner spawner = spawner_of_true();
    const auto add = [&](const std::string& name, bool has_undo) {
        Step step{.name = name, .parent = [](ParentSide&) {}};
        if (has_undo) {
            step.undo = [&undone, name](ParentSide& side) {
                undone += name;
                // The child is gone by now, but not yet another's pid.
                return state_of(side.child_pid()) == '\0' ? side.done() : side.fail(EBUSY, "child");
            };
        }
        spawner.step(step);
    };
    add("a", true);
    add("b", false);
    add("c", true);
    SUBCASE("of a later part of the parent, whose own undo does not run") {
        spawner.step({.name = "fails",
                      .parent = [](ParentSide& side) { return side.fail(EIO, "call"); },
                      .undo = [&](ParentSide&) { undone += "x"; }});
        CHECK(std::string(failure_of(spawner).what()) ==
              "fails in the parent: call: input/output error");
    }
    SUBCASE("of the child") {
        spawner.rendezvous("both");
        spawner.step({.name = "fails",
                      .child = after_fork([](ChildSide& side) { return side.fail(EIO, "call"); })});
        CHECK(std::string(failure_of(spawner).what()) ==
              "fails in the child: call: input/output error");
    }
    add("d", true);  // never reached
    CHECK(undone == "ca");
}

TEST_CASE("nothing is undone after a success") {
    bool undone = false;
    SyncedSpawner spawner = spawner_of_true();
    spawner.step(
        {.name = "a", .parent = [](ParentSide&) {}, .undo = [&](ParentSide&) { undone = true; }});
    CHECK(spawner.spawn().wait().success());
    CHECK_FALSE(undone);
}

TEST_CASE("an undo that fails is named after the cause, and the others still run") {
    std::string undone;
    SyncedSpawner spawner({.program = "/nowhere"});
    const auto nothing = [](ParentSide&) {};
    spawner.step({.name = "a", .parent = nothing, .undo = [&](ParentSide&) { undone += "a"; }})
        .step({.name = "b",
               .parent = nothing,
               .undo = [](ParentSide& side) { return side.fail(EBUSY, "rmdir"); }})
        .step({.name = "c", .parent = nothing, .undo = [](ParentSide&) {
                   throw std::runtime_error("thrown");
               }});
    CHECK(std::string(failure_of(spawner).what()) ==
          "execve '/nowhere' in the child: no such file or directory; undoing 'c' failed: thrown; "
          "undoing 'b' failed: rmdir: Device or resource busy");
    CHECK(undone == "a");
}

TEST_CASE("an exception in a part is the failure of its step") {
    SyncedSpawner spawner = spawner_of_true();
    SUBCASE("in the child") {
        spawner.step({.name = "x",
                      .child = after_fork([](ChildSide&) { throw std::runtime_error("thrown"); })});
        const SpawnError error = failure_of(spawner);
        CHECK(std::string(error.what()) == "x in the child: exception: thrown");
        CHECK(error.cause() == Cause::exception);
        CHECK(error.code() == std::errc::operation_canceled);
    }
    SUBCASE("in the parent") {
        spawner.step(
            {.name = "x", .parent = [](ParentSide&) { throw std::runtime_error("thrown"); }});
        CHECK(std::string(failure_of(spawner).what()) == "x in the parent: exception: thrown");
    }
    SUBCASE("with a code of its own") {
        const auto thrown = [](auto&) {
            throw std::system_error(EMFILE, std::generic_category(), "open");
        };
        spawner.step({.name = "x", .parent = thrown});
        const SpawnError parents = failure_of(spawner);
        CHECK(parents.cause() == Cause::exception);
        CHECK(parents.code() == std::errc::too_many_files_open);
        CHECK(parents.detail() == "open: Too many open files");
        SyncedSpawner other = spawner_of_true();
        other.step({.name = "x", .child = after_fork(thrown)});
        const SpawnError childs = failure_of(other);
        CHECK(childs.cause() == Cause::exception);
        CHECK(childs.code() == std::errc::too_many_files_open);
    }
    SUBCASE("in the child, of another type") {
        spawner.step({.name = "x", .child = after_fork([](ChildSide&) { throw 1; })});
        CHECK(std::string(failure_of(spawner).what()) ==
              "x in the child: exception: not a std::exception");
    }
    SUBCASE("in the parent, of another type") {
        spawner.step({.name = "x", .parent = [](ParentSide&) { throw 1; }});
        CHECK(std::string(failure_of(spawner).what()) ==
              "x in the parent: exception: not a std::exception");
    }
}

TEST_CASE("a child's part that ends its thread is the failure of its step") {
    const auto ends_thread = [](ChildSide&) { pthread_exit(nullptr); };
    for (const ChildPart& part : {after_fork(ends_thread), async_signal_safe(ends_thread)}) {
        const NothingIsLeft nothing_is_left;
        SyncedSpawner spawner = spawner_of_true();
        spawner.step({.name = "x", .child = part});
        CHECK(std::string(failure_of(spawner).what()) == "x in the child: exception: pthread_exit");
    }
}

TEST_CASE("a parent's part may end its thread, and the launch ends with it") {
    const auto launch = [](void* way) -> void* {
        SyncedSpawner spawner({.program = "sleep", .arguments = {"1000"}});
        spawner.step({.name = "a", .parent = [](ParentSide&) {}});
        spawner.step({.name = "x", .parent = [](ParentSide&) { pthread_exit(nullptr); }});
        SpawnError error;
        (void)(*static_cast<const Way*>(way))(spawner, error);
        return way;  // it came back
    };
    for (Way way : both_ways) {
        const NothingIsLeft nothing_is_left;
        pthread_t thread{};
        REQUIRE(pthread_create(&thread, nullptr, launch, &way) == 0);
        void* result = &thread;
        REQUIRE(pthread_join(thread, &result) == 0);
        CHECK(result == nullptr);
    }
}

TEST_CASE("a failure without an errno is one of ECANCELED") {
    SyncedSpawner spawner = spawner_of_true();
    SUBCASE("in the child") {
        spawner.step({.name = "x", .child = after_fork([](ChildSide& side) {
                                       errno = 0;
                                       return side.fail("stream");
                                   })});
        CHECK(std::string(failure_of(spawner).what()) ==
              "x in the child: stream: operation canceled");
    }
    SUBCASE("in the parent") {
        spawner.step(
            {.name = "x", .parent = [](ParentSide& side) { return side.fail(0, "stream"); }});
        CHECK(std::string(failure_of(spawner).what()) ==
              "x in the parent: stream: operation canceled");
    }
    CHECK(failure_of(spawner).code() == std::errc::operation_canceled);
}

TEST_CASE("what a part says of its failure is cut at 120 bytes") {
    const std::string text(500, 'x');
    SyncedSpawner spawner = spawner_of_true();
    spawner.step({.name = "x", .child = after_fork([&](ChildSide& side) {
                                   return side.fail(EIO, text.c_str());
                               })});
    const std::string detail = failure_of(spawner).detail();
    CHECK(detail.size() <= 120);
    CHECK(detail == text.substr(0, detail.size()));
}
