#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>

#include <syncspawn/launcher.hpp>

#include "barrier/linux/proc.hpp"
#include "call_supervisor.hpp"
#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/shared.hpp"
#include "support/shared_memory.hpp"

// Either side of a launch is killed at each of its system calls, one after the other, in the ways that a tracer never
// sees, since a process that is traced copies its memory.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

enum class Way { alone, by_words, after_execve, captured, run };
enum class Party { nobody, launcher, child };

// What the launcher tells.
struct Report {
    std::atomic<bool> has_begun{false};
    std::atomic<bool> parents_part_ended{false};
    std::atomic<bool> has_result{false};
    bool launched = false;
    bool is_shared = false;
    bool saw_the_end = false;  // the program's, where that is looked at
    bool is_clean = false;
    Cause cause = Cause::none;
    char text[200] = {};
};

// What the supervisor saw.
struct Observed {
    int launchers_status = 0;
    bool has_killed = false;
    bool program_ran = false;
    int launchers_calls = 0;  // from the begin of the launch to its result
    int childs_calls = 0;     // up to execve
    std::uint64_t clone_flags = 0;
    std::set<long> calls{};  // of both
};

// ---- the launcher ---------------------------------------------------------------------------------

SyncedSpawner spawner_for(Way way, Report& report) {
    SpawnOptions options = with_shared_memory({.program = SYNCSPAWN_TEST_HELPERS "/bare_program"});
    if (way == Way::captured) {
        options.streams.output = Stdio::pipe();
    }
    SyncedSpawner spawner(std::move(options));
    if (way == Way::by_words) {
        spawner.step({.name = "both",
                      .child = shared_memory([](ChildSide&) {}),
                      .parent = [](ParentSide&) {},
                      .order = StepOrder::child_first});
        spawner.step({.name = "parent",
                      .parent = [&](ParentSide&) { report.parents_part_ended = true; },
                      .order = StepOrder::parent_first});
    } else if (way == Way::after_execve) {
        spawner.step({.name = "the end", .after_execve = [&](ParentSide& side) {
                          report.saw_the_end = side.has_ended();
                          return report.saw_the_end ? side.done()
                                                    : side.wait_for(side.child_pidfd());
                      }});
    }
    return spawner;
}

void take_result(Report& report, const SpawnError& error) {
    report.launched = !error;
    report.cause = error ? error.cause() : Cause::none;
    std::strncpy(report.text, error ? error.what() : "", sizeof report.text - 1);
    report.has_result = true;
}

void launch(Way way, const SyncedSpawner& spawner, Report& report) {
    SpawnError error;
    if (way == Way::run) {
        const RunResult result = run(spawner, {}, error);
        take_result(report, error);
        report.is_shared = true;  // nothing else was asked for
        report.saw_the_end = !error && result.output == "ran" && result.status.code() == 42;
        return;
    }
    Process process = spawner.spawn(error);
    take_result(report, error);
    if (process) {
        report.is_shared = process.start_method() == StartMethod::shared_memory;
        const bool has_text = way != Way::captured || read_all(process.standard_output()) == "ran";
        report.saw_the_end = has_text && process.wait().code() == 42;
    }
}

Subject launcher(Way way, Report& report) {
    const auto spawner = std::make_shared<SyncedSpawner>(spawner_for(way, report));
    return {.prepare =
                [way, spawner, &report] {
                    dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
                    // What is done once only is done, and what is found out is known.
                    launch(way, *spawner, report);
                    launch(way, *spawner, report);
                    report.parents_part_ended = report.has_result = report.saw_the_end = false;
                },
            .work =
                [way, spawner, &report] {
                    const auto before = open_descriptors();
                    report.has_begun = true;
                    launch(way, *spawner, report);
                    report.is_clean = open_descriptors() == before && count_children() == 0;
                }};
}

// ---- the supervisor -------------------------------------------------------------------------------

std::uint64_t flags_of_clone3(const SeenCall& call) {
    const std::string memory = "/proc/" + std::to_string(call.thread) + "/mem";
    const UniqueFd file(open(memory.c_str(), O_RDONLY | O_CLOEXEC));
    std::uint64_t flags = 0;  // the first of clone_args
    const auto there = static_cast<off_t>(call.arguments[0]);
    return pread(file.get(), &flags, sizeof flags, there) == sizeof flags ? flags : 0;
}

// Counts the calls of both parties, and kills one of them at its call number `when`.
class Sweep {
public:
    Sweep(Way way, Party victim, int when) : way_(way), victim_(victim), when_(when) {}

    // False where nothing can be supervised.
    bool run() {
        const auto status = supervise(launcher(way_, *report_),
                                      [this](const SeenCall& call) { return judge(call); });
        seen_.launchers_status = status.value_or(0);
        return status.has_value();
    }
    [[nodiscard]] const Observed& seen() const noexcept { return seen_; }
    [[nodiscard]] const Report& report() const noexcept { return *report_; }

private:
    Party party_of(pid_t thread) {
        if (parties_.empty()) {  // the first call is the launcher's
            parties_[thread] = Party::launcher;
        }
        const auto known = parties_.find(thread);
        if (known != parties_.end()) {
            return known->second;
        }
        const bool is_process = detail::proc::status_number(thread, "Tgid:").value_or(0) == thread;
        return parties_[thread] = is_process ? Party::child : Party::nobody;
    }

    Sentence judge(const SeenCall& call) {
        const Party party = party_of(call.thread);
        const bool is_childs = party == Party::child;
        seen_.program_ran =
            seen_.program_ran || (is_childs && call.number == SYS_write && call.arguments[2] == 3);
        if (party == Party::nobody || (is_childs && has_come_to_execve_) ||
            (!is_childs && (!report_->has_begun || report_->has_result))) {
            return Sentence::passes();
        }
        seen_.calls.insert(call.number);
        if (call.number == SYS_clone3) {
            seen_.clone_flags = flags_of_clone3(call);
        }
        has_come_to_execve_ = has_come_to_execve_ || (is_childs && call.number == SYS_execve);
        const int number = is_childs ? ++seen_.childs_calls : ++seen_.launchers_calls;
        if (party != victim_ || number != when_) {
            return Sentence::passes();
        }
        seen_.has_killed = true;
        return Sentence::dies();
    }

    Way way_;
    Party victim_;
    int when_;
    Shared<Report> report_;
    Observed seen_;
    std::map<pid_t, Party> parties_;
    bool has_come_to_execve_ = false;
};

// ---- the verdicts ---------------------------------------------------------------------------------

bool is_reached(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == status_reached; }

void check_way(Way way, const Observed& seen) {
    const bool is_suspended = (seen.clone_flags & CLONE_VFORK) != 0;
    CHECK((seen.clone_flags & CLONE_VM) != 0);
    CHECK(is_suspended == (way != Way::by_words));
    CHECK_FALSE(seen.calls.contains(SYS_eventfd2));  // no barrier
    CHECK(seen.calls.contains(SYS_futex) == (way == Way::by_words));
}

void check_launched(const Sweep& sweep) {
    CHECK(is_reached(sweep.seen().launchers_status));
    CHECK(sweep.report().launched);
    CHECK(sweep.report().is_shared);
    CHECK(sweep.report().saw_the_end);
    CHECK(sweep.report().is_clean);
    CHECK(sweep.seen().program_ran);
}

void check_dead_child(const Sweep& sweep) {
    CHECK(is_reached(sweep.seen().launchers_status));
    CHECK_FALSE(sweep.report().launched);
    CHECK(sweep.report().cause == Cause::killed);
    CHECK(std::string(sweep.report().text).find("SIGKILL") != std::string::npos);
    CHECK(sweep.report().is_clean);
    CHECK_FALSE(sweep.seen().program_ran);
}

// That nothing is blocked, and nobody left, is known by now.
void check_dead_launcher(const Sweep& sweep, Way way) {
    CHECK(WIFSIGNALED(sweep.seen().launchers_status));
    if (way == Way::by_words && sweep.seen().program_ran) {
        CHECK(sweep.report().parents_part_ended);
    }
}

void sweep_party(Way way, Party victim, int calls) {
    int killed = 0;
    for (int when = 1; when <= calls; ++when) {
        CAPTURE(when);
        Sweep sweep(way, victim, when);
        REQUIRE(sweep.run());
        CAPTURE(std::string(sweep.report().text));
        if (!sweep.seen().has_killed) {  // a wait may find at once what it waits for
            check_launched(sweep);
            continue;
        }
        ++killed;
        victim == Party::child ? check_dead_child(sweep) : check_dead_launcher(sweep, way);
    }
    CHECK(killed >= calls * 8 / 10);
}

}  // namespace

TEST_CASE("whoever is killed at any of its system calls, a launch ends, and leaves nothing") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    for (const Way way : {Way::alone, Way::by_words, Way::after_execve, Way::captured, Way::run}) {
        CAPTURE(static_cast<int>(way));
        Sweep undisturbed(way, Party::nobody, 0);
        if (!undisturbed.run()) {
            SKIP_TEST("system calls cannot be supervised here (seccomp user notifications)");
        }
        check_launched(undisturbed);
        check_way(way, undisturbed.seen());
        CHECK(undisturbed.seen().childs_calls >= 5);
        MESSAGE("calls: launcher ", undisturbed.seen().launchers_calls, ", child ",
                undisturbed.seen().childs_calls);
        sweep_party(way, Party::launcher, undisturbed.seen().launchers_calls);
        sweep_party(way, Party::child, undisturbed.seen().childs_calls);
    }
}
