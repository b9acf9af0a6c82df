#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "rounds.hpp"
#include "support/skip.hpp"

// The child of a sandboxed launch, or its reaper, is killed at each of its system calls, as by the kernel when memory runs
// out. The launch says that, and nothing is left.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

std::vector<Target> death_at(const Call& call, int occurrence) {
    return call.party == Party::launcher
               ? std::vector<Target>{}
               : std::vector<Target>{{call, occurrence, Sentence::dies()}};
}

void check_dead_child(const Round& round) {
    CHECK(round.report.cause == Cause::killed);
    CHECK(round.report.side == WhichSide::child);
    CHECK(std::string(round.report.text).find("SIGKILL") != std::string::npos);
    CHECK(round.report.step[0] != '\0');
}

// The launch may have come to its end before: the reaper's first calls are behind it.
void check_dead_reaper(const Round& round, const std::string& undisturbed) {
    if (round.report.launched) {
        CHECK(is_beginning_of(undisturbed, round.report.told));
        return;
    }
    check_dead_child(round);
    CHECK(round.report.may_have_run);
}

int sweep(Caller caller, KnownCalls& known) {
    const Ground ground;
    int count = 0;
    for (const ScenarioMaker& maker : scenarios()) {
        CAPTURE(std::string(maker.name));
        if (maker.needs_root && caller == Caller::ordinary) {
            continue;
        }
        Rounds rounds(maker, caller, ground, known);
        const bool has_run = rounds.run(death_at, [&](const Round& round) {
            CAPTURE(std::string(name_of(round.hit.party)));
            CAPTURE(round.step());
            CAPTURE(round.hit.number);
            CAPTURE(round.target.occurrence);
            CAPTURE(std::string(round.report.text));
            if (round.hit.party == Party::guardian) {  // the next launch removes what is left
                CHECK(round.report.told == rounds.undisturbed());
            } else if (round.hit.party == Party::reaper) {
                check_dead_reaper(round, rounds.undisturbed());
            } else {
                check_dead_child(round);
            }
            CHECK(round.left.empty());
        });
        if (!has_run) {
            leave_out(rounds.why_not());
        }
        count += rounds.count();
    }
    return count;
}

}  // namespace

TEST_CASE(
    "whenever the child of a sandboxed launch is killed, the launch says so, and nothing is left") {
    KnownCalls known;
    if (geteuid() == 0) {
        MESSAGE("launches of root: ", sweep(Caller::root, known));
    }
    MESSAGE("launches of an ordinary user: ", sweep(Caller::ordinary, known));
}
