#include "launcher/course/verdict.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <string>

// From evidence to sentence, without a launch.

using namespace syncspawn;
using namespace syncspawn::detail;

namespace {

// "x" has parts on both sides.
const Schedule& schedule() {
    static const std::vector<Entry> entries{
        Step{.name = "x", .child = after_fork([](ChildSide&) {}), .parent = [](ParentSide&) {}}};
    static const Schedule made = make_schedule(entries, "/bin/server", "");
    return made;
}
constexpr std::uint32_t x = 1;

Failure parents(Cause cause, int error, const char* detail) {
    return {WhichSide::parent, x, cause, error, detail};
}

FailureSlot slot(std::uint32_t item, int error, const char* text) {
    FailureSlot made;
    made.item = item;
    made.error = error;
    made.set_text(text);
    return made;
}

FailureSlot thrown(const char* text) {
    FailureSlot made = slot(x, 0, text);
    made.way = Failing::by_exception;
    return made;
}

const FailureSlot no_execve = slot(schedule().execve, ENOENT, "");

struct Row {
    const char* subject;
    Evidence evidence;
    const char* sentence;
};

const Evidence killed{.childs_item = x,
                      .never_executed = true,
                      .ended_by_itself = true,
                      .status = ExitStatus::killed(SIGKILL)};

Evidence with(Evidence evidence, void (*change)(Evidence&)) {
    change(evidence);
    return evidence;
}

const Row rows[] = {
    {"what the child claimed",
     {.claimed = slot(x, EPERM, "mount"), .never_executed = true},
     "x in the child: mount: operation not permitted"},
    {"the claim, whatever the parent thinks",
     {.own = parents(Cause::error, EIO, "open"),
      .claimed = slot(x, EPERM, "mount"),
      .never_executed = true},
     "x in the child: mount: operation not permitted"},
    {"an exception in the child",
     {.claimed = thrown("what"), .never_executed = true},
     "x in the child: exception: what"},
    {"a claim of an item that does not exist",
     {.claimed = slot(4711, EPERM, "mount"), .never_executed = true},
     "start in the child: mount: operation not permitted"},
    {"a claim without an errno",
     {.claimed = slot(x, 0, "mount"), .never_executed = true},
     "x in the child: mount: operation canceled"},
    {"an execve that failed: the program certainly never ran",
     {.claimed = no_execve},
     "execve '/bin/server' in the child: no such file or directory"},
    {"the parent's own failure",
     {.own = parents(Cause::error, EIO, "open"), .never_executed = true},
     "x in the parent: open: input/output error"},
    {"the same, after the child was let go",
     {.own = parents(Cause::error, EIO, "open")},
     "x in the parent: open: input/output error; the program may have run"},
    {"the child's death, where the parent's part failed of that",
     with(killed,
          [](Evidence& evidence) {
              evidence.own = parents(Cause::error, ESRCH, "open");
              evidence.child_died_first = true;
          }),
     "the child was killed by SIGKILL in step 'x'"},
    {"a death in the item where the child was", killed,
     "the child was killed by SIGKILL in step 'x'"},
    {"an exit", with(killed, [](Evidence& evidence) { evidence.status = ExitStatus::exited(7); }),
     "the child exited with code 7 in step 'x'"},
    {"an end whose status somebody else has taken",
     with(killed, [](Evidence& evidence) { evidence.status = ExitStatus::unknown(); }),
     "the child ended; somebody else took its status in step 'x'"},
    {"a death that only the kill brought about",
     with(killed, [](Evidence& evidence) { evidence.ended_by_itself = false; }),
     "the child closed its barrier in step 'x', and lived on"},
    {"a death at execve, where nobody can tell whether it came through",
     with(killed,
          [](Evidence& evidence) {
              evidence.childs_item = schedule().execve;
              evidence.never_executed = false;
          }),
     "the child was killed by SIGKILL in execve '/bin/server'; the program may have run"},
    {"the program's end before it was ready",
     with(killed,
          [](Evidence& evidence) {
              evidence.program_has_run = true;
              evidence.never_executed = false;
          }),
     "the program was killed by SIGKILL before it was ready"},
    {"an abort of the program",
     {.own = {WhichSide::child, schedule().readiness, Cause::aborted, ECANCELED},
      .program_has_run = true},
     "the program aborted the barrier before it was ready"},
    {"a cancellation",
     {.own = Failure::cancellation(WhichSide::parent, x), .never_executed = true},
     "the launch was cancelled"},
    {"a wait that was refused",
     {.own = Failure::of_a_wait(x, EPERM, "ppoll"), .never_executed = true},
     "x in the parent: ppoll: operation not permitted"},
};

}  // namespace

TEST_CASE("the evidence of each end makes its sentence") {
    for (const Row& row : rows) {
        CAPTURE(row.subject);
        CHECK(std::string(SpawnError(verdict(row.evidence, schedule())).what()) == row.sentence);
    }
}

TEST_CASE("only an end that was the child's own has a status") {
    CHECK(verdict(killed, schedule()).status == ExitStatus::killed(SIGKILL));
    for (const Evidence& evidence :
         {with(killed, [](Evidence& one) { one.ended_by_itself = false; }),
          with(killed, [](Evidence& one) { one.own = parents(Cause::error, EIO, "open"); }),
          with(killed, [](Evidence& one) { one.claimed = no_execve; })}) {
        CHECK_FALSE(verdict(evidence, schedule()).status);
    }
}

TEST_CASE("a child that SIGKILL did not end is told with the reason") {
    const Evidence evidence{.own = parents(Cause::error, EIO, "open"),
                            .why_it_survived = "it is frozen"};
    CHECK(verdict(evidence, schedule()).why_it_survived == "it is frozen");
}
