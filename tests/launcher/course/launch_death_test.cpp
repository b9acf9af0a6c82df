#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <set>

#include <syncspawn/launcher.hpp>

#include "launcher/start/start_child.hpp"
#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/sanitizers.hpp"
#include "support/shared.hpp"
#include "support/skip.hpp"

// Either side is killed at every point of a launch.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

// The sanitizers multiply the system calls of a program; not every one of them must be met there.
constexpr int stride = is_sanitized ? 17 : 1;

// What the launching process tells the harness.
struct Report {
    std::atomic<bool> parents_part_ended{false};
    std::atomic<bool> has_result{false};
    std::atomic<bool> launched{false};
    std::atomic<bool> may_have_run{false};
    char text[200] = {};
};

enum class Way {
    copied,
    shared,
    suspended  // shared, and the parent has nothing to do until execve
};

StartMethod method_of(Way way) {
    return way == Way::copied ? StartMethod::copied_memory : StartMethod::shared_memory;
}

SyncedSpawner spawner(Report& report, Way way) {
    if (way == Way::suspended) {
        report.parents_part_ended = true;
        return SyncedSpawner({.program = "true", .birth = {.method = StartMethod::shared_memory}});
    }
    SpawnOptions options{.program = SYNCSPAWN_TEST_HELPERS "/launch_meets",
                         .arguments = {"2"},
                         .birth = {.method = method_of(way)},
                         .readiness = {.within = 60s},
                         .ending = {.stop = {Stop::wait()}}};
    options.environment.set("ASAN_OPTIONS", "detect_leaks=0");  // cannot work under ptrace
    SyncedSpawner made(options);
    made.step({.name = "both",
               .child = shared_memory([](ChildSide&) {}),
               .parent = [](ParentSide&) {},
               .order = StepOrder::child_first});
    made.step({.name = "last", .parent = [&](ParentSide&) { report.parents_part_ended = true; }});
    return made;
}

void launch_and_report(Report& report, Way way) {
    SpawnError error;
    Process process = spawner(report, way).spawn(error);
    if (process) {
        if (way != Way::suspended) {
            (void)process.barrier().place_and_sync();
        }
        process.wait();
    }
    std::strncpy(report.text, error.what(), sizeof report.text - 1);
    report.launched = !error;
    report.may_have_run = error.program_may_have_run();
    report.has_result = true;
}

struct Observed {
    bool was_killed = false;
    bool executed = false;
    bool executed_too_early = false;
    int launcher_status = 0;
    bool is_permitted = true;
};

// Traces the launch, and kills one side at its stop number `when`. Two stops are a system call: on
// its way in and on its way out. Returns when every process has ended, whatever it takes.
class Killer {
public:
    Killer(Report& report, Way way, WhichSide victim, int when)
        : report_(report), way_(way), victim_(victim), when_(when) {}

    Observed run() {
        launcher_ = fork();
        if (launcher_ == 0) {
            if (way_ != Way::copied) {  // is found possible only untraced
                spawner_with_part().spawn().wait();
            }
            if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) < 0) {
                _exit(77);
            }
            raise(SIGSTOP);
            launch_and_report(report_, way_);
            _exit(status_reached);
        }
        int status = 0;
        for (pid_t pid = 0; (pid = waitpid(-1, &status, __WALL)) > 0;) {
            if (WIFSTOPPED(status)) {
                on_stop(pid, status);
            } else if (pid == launcher_) {
                seen_.launcher_status = status;
                seen_.is_permitted = !(WIFEXITED(status) && WEXITSTATUS(status) == 77);
            }
        }
        return seen_;
    }

private:
    static SyncedSpawner spawner_with_part() {
        SyncedSpawner made({.program = "true", .birth = {.method = StartMethod::shared_memory}});
        return made.step({.name = "x", .child = shared_memory([](ChildSide&) {})});
    }

    void on_stop(pid_t pid, int status) {
        const int signal = WSTOPSIG(status);
        const bool is_new = known_.insert(pid).second;
        if (is_new && pid == launcher_) {
            constexpr auto options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
                                     PTRACE_O_TRACECLONE | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
            ptrace(PTRACE_SETOPTIONS, pid, nullptr, static_cast<long>(options));
        }
        if ((status >> 8) == (SIGTRAP | (PTRACE_EVENT_EXEC << 8))) {
            seen_.executed = true;
            seen_.executed_too_early |= !report_.parents_part_ended;
        }
        const bool is_victim = (pid == launcher_) == (victim_ == WhichSide::parent);
        if (signal == (SIGTRAP | 0x80) && is_victim && ++stops_ == when_) {
            seen_.was_killed = true;
            kill(pid, SIGKILL);
            return;
        }
        const bool is_delivered = !is_new && signal != (SIGTRAP | 0x80) && signal != SIGTRAP;
        const long passed_on = is_delivered ? signal : 0;
        const bool counts = is_victim && !seen_.was_killed;
        ptrace(counts ? PTRACE_SYSCALL : PTRACE_CONT, pid, nullptr, passed_on);
    }

    Report& report_;
    Way way_;
    WhichSide victim_;
    int when_;
    pid_t launcher_ = -1;
    int stops_ = 0;
    std::set<pid_t> known_;
    Observed seen_;
};

// Processes that lose their parent become children of this one, so that it can wait for them.
void adopt_orphans() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

// Kills the victim at each stop in turn; `judge` looks at each launch.
template <class Judge>
int kill_everywhere(WhichSide victim, Judge judge) {
    Way way = Way::copied;
    SUBCASE("copied memory") {}
    if (detail::obstacle_to_shared_memory().what == nullptr) {
        SUBCASE("shared memory") { way = Way::shared; }
        SUBCASE("shared memory, while the parent is suspended") { way = Way::suspended; }
    }
    adopt_orphans();
    for (int when = 1;; when += stride) {
        const Shared<Report> report;
        CAPTURE(when);
        const Observed seen = Killer(*report, way, victim, when).run();
        if (!seen.is_permitted) {
            leave_out("this machine forbids ptrace");
            return -1;
        }
        if (!seen.was_killed) {
            CHECK(report->launched);  // the whole launch was survived
            return when;
        }
        CHECK_FALSE(seen.executed_too_early);
        judge(*report, seen);
    }
}

}  // namespace

TEST_CASE("a child killed at any system call leaves a result, and no process") {
    const int stops = kill_everywhere(WhichSide::child, [](Report& report, const Observed& seen) {
        CAPTURE(std::string(report.text));
        REQUIRE(report.has_result);
        CHECK(WIFEXITED(seen.launcher_status));
        CHECK(WEXITSTATUS(seen.launcher_status) == status_reached);
        CHECK((report.launched || std::strlen(report.text) > 0));
        CHECK((report.launched || report.may_have_run || !seen.executed));
        if (!seen.executed) {
            CHECK(std::string(report.text).starts_with("the child was killed by SIGKILL "));
        }
    });
    CHECK((stops < 0 || stops > 20));
}

TEST_CASE("a parent killed at any system call lets no uncommitted program run, and leaves nobody") {
    // That nobody is left is seen by this process having waited for all of them.
    const int stops = kill_everywhere(WhichSide::parent, [](Report&, const Observed& seen) {
        CHECK((WIFSIGNALED(seen.launcher_status) && WTERMSIG(seen.launcher_status) == SIGKILL));
    });
    CHECK((stops < 0 || stops > 8));  // two for each call, and a parent that is suspended makes few
}

TEST_CASE("a parent that is killed in the middle of a setup takes the child along") {
    adopt_orphans();
    const Shared<std::atomic<pid_t>> child;
    const Shared<std::atomic<bool>> ran;
    Part<ChildSide> childs_part = [](ChildSide&) {};
    ParentPart parents_part = [&](ParentSide& side) {
        *child = side.child_pid();
        if (is_blocked_in_a_wait(side.child_pid()) || state_of(side.child_pid()) == 'S') {
            kill(getpid(), SIGKILL);
        }
    };
    auto order = StepOrder::together;
    SUBCASE("while the child is at a rendezvous") {}
    SUBCASE("while the child is in a part of its own, blocked for ever") {
        childs_part = [](ChildSide&) {
            for (;;) {
                pause();
            }
        };
        parents_part = [&](ParentSide& side) {
            *child = side.child_pid();
            comes_to_state(side.child_pid(), 'S');
            kill(getpid(), SIGKILL);
        };
    }
    SUBCASE("while the parent is at a rendezvous, by the child") {
        order = StepOrder::child_first;
        const pid_t harness = getpid();
        childs_part = [&, harness](ChildSide&) {
            *child = getpid();
            const pid_t parent = getppid();
            if (parent != harness && is_blocked_in_a_wait(parent)) {
                kill(parent, SIGKILL);
            }
            for (;;) {
                pause();
            }
        };
    }
    Peer launcher([&] {
        SyncedSpawner made({.program = "true"});
        made.step({.name = "x",
                   .child = after_fork(childs_part),
                   .parent = parents_part,
                   .order = order});
        *ran = static_cast<bool>(made.spawn());
    });
    CHECK(launcher.ending() == "killed by SIGKILL");
    CHECK_FALSE(*ran);
    // Adopted, it is reaped here: with the exit code of a launch that failed, or killed along.
    int status = 0;
    REQUIRE(waitpid(*child, &status, 0) == *child);
    CHECK((WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 125));
    CHECK(count_children() == 0);
}
