#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"

// Launches that are held at their last rendezvous until all of them are there: a part of the parent that
// waits. launcher/README.md says how.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

// Its descriptor stays readable once all are there, or one has failed.
class Group {
public:
    explicit Group(int size) : missing_(size) {}

    // [step]
    Step step() {
        return {.name = "group",
                .child = after_fork([](ChildSide&) {}),
                .parent = [this](ParentSide& side) { return wait_for_the_others(side); },
                .order = StepOrder::child_first,
                .undo = [this](ParentSide&) { break_up(); }};
    }
    std::error_code wait_for_the_others(ParentSide& side) {
        const bool was_here = std::exchange(side.state<bool>(), true);
        if (!was_here && --missing_ == 0) {
            wake();
        }
        if (has_failed_) {
            return side.fail(ECANCELED, "another of the group failed");
        }
        return missing_ == 0 ? side.done() : side.wait_for(event_.get());
    }
    // [end]
    // Also by whoever sees a launch fail that has not come as far as this step.
    void break_up() {
        has_failed_ = true;
        wake();
    }
    int missing() const { return missing_; }

private:
    void wake() const { eventfd_write(event_.get(), 1); }

    UniqueFd event_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    int missing_;
    bool has_failed_ = false;
};

struct Pipe {
    UniqueFd read;
    UniqueFd write;
    Pipe() {
        int ends[2];
        REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
        read.reset(ends[0]);
        write.reset(ends[1]);
    }
    bool has_output() const {
        pollfd one{read.get(), POLLIN, 0};
        return poll(&one, 1, 0) == 1 && (one.revents & POLLIN) != 0;
    }
};

// Says in `output` that it runs.
SyncedSpawner member(Group& group, const Pipe& output, ChildPart before = {}) {
    SpawnOptions options = shell("echo runs");
    options.streams.output = Stdio::descriptor(output.write.get());
    options.setup.abort_grace = 0ns;
    SyncedSpawner spawner(options);
    if (before.run) {
        spawner.step({.name = "before", .child = std::move(before)});
    }
    spawner.step(group.step());
    return spawner;
}

// One event loop for all, until each is over. Who fails takes the others along.
void drive(std::vector<Launch>& launches, Group& group) {
    for (;;) {
        std::vector<pollfd> waits;
        for (Launch& launch : launches) {
            if (!launch.advance()) {
                waits.push_back({launch.descriptor(), POLLIN, 0});
            }
        }
        if (waits.empty()) {
            return;
        }
        if (waits.size() < launches.size() && group.missing() > 0) {
            group.break_up();
        }
        poll(waits.data(), waits.size(), -1);
    }
}

std::string text_of(Launch& launch) {
    SpawnError error;
    const Process process = launch.take_process(error);
    return error.what();
}

}  // namespace

TEST_CASE("no program of a group runs before all are there") {
    const NothingIsLeft nothing_is_left;
    Group group(2);
    const Pipe output;
    std::vector<Launch> launches;
    launches.push_back(member(group, output).launch());
    while (!launches[0].advance() && group.missing() == 2) {
        await_event(launches[0].descriptor());
    }
    for (int times = 0; times < 3; ++times) {
        CHECK_FALSE(launches[0].advance());
    }
    CHECK_FALSE(output.has_output());
    launches.push_back(member(group, output).launch());
    drive(launches, group);
    for (Launch& launch : launches) {
        CHECK(launch.take_process().wait().success());
    }
    CHECK(output.has_output());
}

TEST_CASE("if one of a group fails, none runs") {
    const NothingIsLeft nothing_is_left;
    Group group(2);
    const Pipe output;
    std::vector<Launch> launches;
    launches.push_back(member(group, output).launch());
    std::string text;
    SUBCASE("before it has come to the group") {
        launches.push_back(member(group, output, after_fork([](ChildSide& side) {
                                      return side.fail(EIO, "disk");
                                  }))
                               .launch());
        text = "before in the child: disk: input/output error";
    }
    SUBCASE("while it waits for the others") {
        group = Group(3);
        launches.push_back(member(group, output).launch());
        while (group.missing() > 1) {
            (void)launches[0].advance();
            (void)launches[1].advance();
        }
        launches[1].cancel();
        text = "the launch was cancelled";
    }
    drive(launches, group);
    CHECK(text_of(launches[0]) ==
          "group in the parent: another of the group failed: operation canceled");
    CHECK(text_of(launches[1]) == text);
    CHECK_FALSE(output.has_output());
}
