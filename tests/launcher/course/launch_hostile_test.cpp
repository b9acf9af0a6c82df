#include <doctest/doctest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include <syncspawn/launcher.hpp>

#include "launcher/child/launch_record.hpp"
#include "support/launched.hpp"
#include "support/namespaces.hpp"
#include "support/observe.hpp"
#include "support/sanitizers.hpp"

// Parts that break the rules, children that lie, and a /proc that tells of others: the parent still
// reports what happened, and waits for nobody it need not wait for.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

// A child part that leaves a process behind, which holds all that is open in the child.
ChildPart leave_behind(std::atomic<pid_t>& stray) {
    return after_fork([&stray](ChildSide& side) {
        const pid_t pid = fork();
        if (pid == 0) {
            sigset_t none;
            sigemptyset(&none);
            sigprocmask(SIG_SETMASK, &none, nullptr);
            alarm(watchdog_seconds);
            for (;;) {
                pause();
            }
        }
        stray = pid;
        return pid < 0 ? side.fail("fork") : side.done();
    });
}

// In a peer that adopts orphans: the stray process is there to this moment, and goes now.
void end_stray(pid_t stray) {
    expect(kill(stray, SIGKILL) == 0);
    int status = 0;
    expect(waitpid(stray, &status, 0) == stray);
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

// The shared memory of a launch as the child finds it: by a text of its own in the failure slot.
struct FoundRecord {
    detail::LaunchRecord* record = nullptr;
    std::size_t size = 0;

    void fill(int byte) const { std::memset(static_cast<void*>(record), byte, size); }
};

FoundRecord find_record(ChildSide& side) {
    constexpr const char* marker = "here is the launch record";
    (void)side.fail(EIO, marker);
    std::istringstream mappings(read_file("/proc/self/maps"));
    for (std::string line; std::getline(mappings, line);) {
        char* rest = nullptr;
        const unsigned long begin = std::strtoul(line.c_str(), &rest, 16);
        const unsigned long end = std::strtoul(rest + 1, &rest, 16);
        // NOLINTNEXTLINE(performance-no-int-to-ptr): /proc says where it is
        auto* record = reinterpret_cast<detail::LaunchRecord*>(begin);
        if (std::string_view(rest).starts_with(" rw-s ") &&
            std::strncmp(record->child_failure.text, marker, std::strlen(marker)) == 0) {
            return {record, end - begin};
        }
    }
    _exit(99);
}

// A spawner whose only step, 'x', does this to the launch record.
template <class Damage>
SyncedSpawner with_damaged_record(Damage damage, SpawnOptions options = {.program = "true"}) {
    SyncedSpawner spawner(std::move(options));
    spawner.step({.name = "x",
                  .child = after_fork([damage](ChildSide& side) { damage(find_record(side)); })});
    return spawner;
}

// What fills the record: small and large numbers, negative and positive ones.
constexpr int fillings[]{0x01, 0x7f, 0x80, 0xff};

// The last of "... for 7 s", "... for 7 ms" or "... for 7 us".
std::chrono::microseconds duration_at_end(const std::string& text) {
    const std::string words = text.substr(text.rfind(" for ") + 5);
    const std::chrono::microseconds number(std::stoll(words));
    return words.ends_with(" us") ? number : (words.ends_with(" ms") ? 1000 : 1'000'000) * number;
}

// The next process of this pid namespace gets this number. False where that may not be asked for.
bool number_next_process(pid_t pid) {
    std::ofstream file("/proc/sys/kernel/ns_last_pid");
    file << pid - 1 << std::flush;
    return file.good();
}

// In a peer: a launch has this number for its child, and all goes well.
void expect_launch_of(pid_t child) {
    // A thread would take a number, too.
    SyncedSpawner spawner({.program = "true", .birth = {.method = StartMethod::copied_memory}});
    spawner.step({.name = "number", .parent = [child](ParentSide& side) {
                      return side.child_pid() == child ? side.done() : side.fail(ESRCH, "number");
                  }});
    SpawnError error;
    Process process = spawner.spawn(error);
    expect_same(error.what(), "no error");
    expect(process.wait().success());
}

std::string number_in_proc() {
    char text[32] = {};
    expect(readlink("/proc/self", text, sizeof text - 1) > 0);
    return text;
}

// In a peer: ends as the one that it started.
void leave_as(Peer& started) {
    if (const std::string reason = started.left_out(); !reason.empty()) {
        leave_out_here(reason.c_str());
    }
    expect_same(started.ending().c_str(), reached_the_end.c_str());
}

// Calls this in a pid namespace within another one, whose /proc is mounted: the caller is number 3
// there, and its parent number 2; neither has executed a program since its fork.
template <class Body>
Peer peer_with_outer_proc(Body body, pid_t own_number = 2) {
    return peer_in_namespaces(CLONE_NEWPID, [=] {
        Peer outer([=] {
            mount_own_proc();
            expect(unshare(CLONE_NEWPID) == 0);
            Peer inner([=] {
                expect(getpid() == 1 && number_in_proc() == "2");
                if (own_number != 2 && !number_next_process(own_number)) {
                    leave_out_here("this machine forbids choosing the number of a process");
                }
                Peer launching([=] {
                    expect(getpid() == own_number && number_in_proc() == "3");
                    body();
                });
                leave_as(launching);
            });
            leave_as(inner);
        });
        leave_as(outer);
    });
}

}  // namespace

TEST_CASE(
    "a process that a part left behind with all its descriptors does not hold up the launch") {
    Peer peer([] {
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        const Shared<std::atomic<pid_t>> stray;
        SyncedSpawner spawner({.program = "cat", .streams = {.input = Stdio::pipe()}});
        spawner.step({.name = "x", .child = leave_behind(*stray)});
        Process process = spawner.spawn();  // whose program goes on until its input ends
        process.take_standard_input().reset();
        expect(process.wait().success());
        end_stray(*stray);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a process that a part left behind does not hide how the child ended") {
    Peer peer([] {
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        const Shared<std::atomic<pid_t>> stray;
        SyncedSpawner missing({.program = "/nowhere"});
        missing.step({.name = "x", .child = leave_behind(*stray)});
        expect_same(failure_of(missing).what(),
                    "execve '/nowhere' in the child: no such file or directory");
        end_stray(*stray);
        SyncedSpawner ending({.program = "true"});
        ending.step({.name = "x", .child = leave_behind(*stray)});
        ending.step({.name = "y", .child = after_fork([](ChildSide&) { _exit(7); })});
        expect_same(failure_of(ending).what(), "the child exited with code 7 in step 'y'");
        end_stray(*stray);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE(
    "a child that fills the launch record with anything and exits is told as one that exited") {
    for (const int byte : fillings) {
        CAPTURE(byte);
        const SpawnError error = failure_of(with_damaged_record([byte](const FoundRecord& found) {
            found.fill(byte);
            _exit(7);
        }));
        CHECK(std::string(error.what()) == "the child exited with code 7 in start");
        CHECK(error.status() == ExitStatus::exited(7));
        CHECK_FALSE(error.program_may_have_run());
        CHECK_FALSE(draw(error.timeline()).empty());
    }
}

TEST_CASE("a child that fills the launch record with anything and goes on does not get to execve") {
    for (const int byte : fillings) {
        CAPTURE(byte);
        const SpawnError error =
            failure_of(with_damaged_record([byte](const FoundRecord& found) { found.fill(byte); }));
        CHECK(std::string(error.what()) == "the child exited with code 125 in execve 'true'");
        CHECK_FALSE(error.program_may_have_run());
    }
}

TEST_CASE("a failure of a step that does not exist, without an end of its text, is cut") {
    const SpawnError error = failure_of(with_damaged_record([](const FoundRecord& found) {
        found.fill('x');
        found.record->first_failure = detail::claim_of(WhichSide::child);
        _exit(7);
    }));
    CHECK(error.step() == "start");
    CHECK(error.side() == WhichSide::child);
    CHECK(error.cause() == Cause::error);
    CHECK(error.detail() == std::string(sizeof detail::FailureSlot::text, 'x'));
    CHECK_FALSE(error.program_may_have_run());
}

TEST_CASE("pointers that a child scribbles into its failure are not followed") {
    static const int number = 7;
    static const void* const itself = &itself;
    for (const void* pointer :
         {static_cast<const void*>(&number), static_cast<const void*>(&itself),
          static_cast<const void*>(&std::cout), static_cast<const void*>("text")}) {
        const SpawnError error =
            failure_of(with_damaged_record([pointer](const FoundRecord& found) {
                detail::FailureSlot& slot = found.record->child_failure;
                slot = {};
                slot.item = 1;  // step 'x'
                slot.error = 5;
                std::memcpy(static_cast<void*>(&slot.category), &pointer, sizeof pointer);
                std::memset(slot.category_name, 'n', sizeof slot.category_name);
                found.record->claim(WhichSide::child);
                _exit(7);
            }));
        CHECK(error.code() == std::errc::operation_canceled);
        CHECK(error.detail() ==
              std::string(sizeof detail::FailureSlot::category_name, 'n') + " error 5");
        CHECK(error.step() == "x");
    }
}

TEST_CASE("a child that lies about its times is late by a duration that can be") {
    // Whenever the deadline comes, before the damage or after it.
    for (const int byte : fillings) {
        CAPTURE(byte);
        const SpawnError error = failure_of(with_damaged_record(
            [byte](const FoundRecord& found) {
                found.fill(byte);
                found.record->child_item = 1;  // step 'x'
                for (;;) {
                    pause();
                }
            },
            {.program = "true", .setup = {.within = 300ms, .abort_grace = 0ns}}));
        const std::string text = error.what();
        CAPTURE(text);
        REQUIRE(text.starts_with("the setup was not done within 300 ms: the child has been in '"));
        CHECK(duration_at_end(text) >= 0ms);
        CHECK(duration_at_end(text) < std::chrono::seconds(watchdog_of_program_seconds));
    }
}

TEST_CASE("a time in the launch record that cannot be is not in the timeline") {
    const SpawnError error = failure_of(with_damaged_record([](const FoundRecord& found) {
        for (std::uint32_t item = 0; item < 6; ++item) {  // start, x, ready to exec ... readiness
            detail::Times& times = found.record->times(WhichSide::child, item);
            times.began = times.ended = INT64_MIN;
        }
        _exit(7);
    }));
    CHECK(std::string(error.what()) == "the child exited with code 7 in step 'x'");
    CHECK_FALSE(error.timeline().empty());
    for (const TimelineEvent& event : error.timeline()) {
        CHECK(event.side == WhichSide::parent);
    }
}

// Not with a sanitizer, whose own threads take numbers, too.
//
// The launching process is number 2 and its child 3. In /proc, 3 is the launching one: that has never
// executed a program, has a parent of number 2, and holds a barrier as a program that attached does.
TEST_CASE("with the /proc of an outer pid namespace a program that runs is seen to run" *
          doctest::skip(is_sanitized)) {
    Peer peer = peer_with_outer_proc([] { expect_launch_of(3); });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("with the /proc of an outer pid namespace nothing is said of the program's barrier" *
          doctest::skip(is_sanitized)) {
    Peer peer = peer_with_outer_proc([] {
        const SpawnError error = failure_of({.program = "sleep",
                                             .arguments = {"1000"},
                                             .setup = {.abort_grace = 0ns},
                                             .readiness = {.within = 50ms}});
        expect_same(error.what(), "the program was not ready within 50 ms");
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

// The launching process is number 3 in both; its child is 2, which in /proc is its parent's number.
TEST_CASE("the /proc of an outer pid namespace that has one's own number is another's still" *
          doctest::skip(is_sanitized)) {
    Peer peer = peer_with_outer_proc(
        [] {
            expect(number_next_process(2));
            expect_launch_of(2);
        },
        3);
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}
