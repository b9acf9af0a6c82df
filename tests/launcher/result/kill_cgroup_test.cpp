#include <syncspawn/launcher/process.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <system_error>
#include <vector>

#include "support/cgroup.hpp"
#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/peer.hpp"
#include "support/skip.hpp"

// KillScope::cgroup: what has left the program's process group and session ends with it.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

SpawnOptions of_cgroup(const Cgroup& cgroup, const std::string& script) {
    SpawnOptions options = shell(script);
    options.streams.output = Stdio::pipe();
    options.birth.cgroup = cgroup.fd();
    options.ending.scope = KillScope::cgroup;
    return options;
}

// Has a grandchild with a session of its own, which holds the standard output, and says so.
constexpr const char* with_grandchild = "setsid sh -c 'echo; exec sleep 1000' & wait";

constexpr uid_t nobody = 65534;

template <class Call>
bool is_refused(Call call) {
    try {
        call();
    } catch (const std::system_error& error) {
        return error.code() == std::errc::operation_not_permitted;
    }
    return false;
}

void await_line(int fd) {
    for (char letter = 0; letter != '\n';) {
        expect(read(fd, &letter, 1) == 1);
    }
}

void leave_one_descriptor() {
    const UniqueFd next(dup(STDERR_FILENO));
    rlimit limit{};
    expect(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = static_cast<rlim_t>(next.get()) + 1;
    expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

Process spawn_with_grandchild(const Cgroup& cgroup) {
    Process process = SyncedSpawner(of_cgroup(cgroup, with_grandchild)).spawn();
    await_line(process.standard_output());
    return process;
}

}  // namespace

TEST_CASE("a kill of the cgroup reaches what has a session of its own") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    SUBCASE("by kill(), though the caller has closed the directory") {
        UniqueFd directory(open(cgroup.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        SpawnOptions options = of_cgroup(cgroup, with_grandchild);
        options.birth.cgroup = directory.get();
        Process process = SyncedSpawner(options).spawn();
        directory.reset();
        await_line(process.standard_output());
        CHECK(process.kill() == ExitStatus::killed(SIGKILL));
        CHECK(read_all(process.standard_output()) == "");
    }
    SUBCASE("by the destructor") {
        UniqueFd output;
        {
            Process process = spawn_with_grandchild(cgroup);
            output = process.take_standard_output();
        }
        CHECK(read_all(output.get()) == "");
    }
    SUBCASE("when the program itself has ended and was reaped") {
        Process process =
            SyncedSpawner(of_cgroup(cgroup, "setsid sleep 1000 & echo; exit 3")).spawn();
        CHECK(process.wait() == ExitStatus::exited(3));
        CHECK(process.kill() == ExitStatus::exited(3));
        CHECK(read_all(process.standard_output()) == "\n");
    }
    CHECK(cgroup.becomes_empty());
}

TEST_CASE("a kill of the cgroup reaches the cgroups below it") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    const std::string below = cgroup.path() + "/below";
    REQUIRE(mkdir(below.c_str(), 0755) == 0);
    // Twice, so that the first kill has not spoilt the cgroup for a second launch.
    for (int launch = 0; launch < 2; ++launch) {
        Process process =
            SyncedSpawner(of_cgroup(cgroup, "setsid sh -c 'echo $$ > " + below +
                                                "/cgroup.procs; echo; exec sleep 1000' & wait"))
                .spawn();
        await_line(process.standard_output());
        CHECK(process.kill() == ExitStatus::killed(SIGKILL));
        CHECK(cgroup.becomes_empty());
    }
    CHECK(rmdir(below.c_str()) == 0);
}

TEST_CASE("a kill of the cgroup reaches those far below it, with one descriptor to spare") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    constexpr int depth = 70;
    std::vector<std::string> below{cgroup.path()};
    for (int level = 0; level < depth; ++level) {
        below.push_back(below.back() + "/d");
        REQUIRE(mkdir(below.back().c_str(), 0755) == 0);
    }
    const std::string script =
        "setsid sh -c 'echo $$ > " + below.back() + "/cgroup.procs; echo; exec sleep 1000' & wait";
    Peer peer([&] {
        Process process = SyncedSpawner(of_cgroup(cgroup, script)).spawn();
        await_line(process.standard_output());
        leave_one_descriptor();
        expect(process.kill() == ExitStatus::killed(SIGKILL));
    });
    CHECK(peer.ending() == reached_the_end);
    CHECK(cgroup.becomes_empty());
    write_to(cgroup.path() + "/cgroup.kill", "1");
    for (; below.size() > 1; below.pop_back()) {
        CHECK(comes_true([&] { return rmdir(below.back().c_str()) == 0; }));
    }
}

TEST_CASE("a threaded cgroup is refused, as nobody could tell what to kill") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    const std::string below = cgroup.path() + "/below";
    REQUIRE(mkdir(below.c_str(), 0755) == 0);
    REQUIRE(write_to(below + "/cgroup.type", "threaded"));
    {
        const UniqueFd directory(open(below.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        SpawnOptions options = of_cgroup(cgroup, "exit 3");
        CHECK(SyncedSpawner(options).spawn().wait() == ExitStatus::exited(3));
        options.birth.cgroup = directory.get();
        CHECK(failure_of(options).what() ==
              std::string("prepare the launch: KillScope::cgroup: operation not supported (a "
                          "threaded cgroup does not say which processes are in it)"));
    }
    CHECK(rmdir(below.c_str()) == 0);
}

TEST_CASE("a kill of the cgroup reaches programs of another user, if the cgroup is this one's") {
    for (const bool may_write : {true, false}) {
        const Cgroup cgroup;
        if (!cgroup) {
            return;
        }
        const std::string kill_file = cgroup.path() + "/cgroup.kill";
        if (access(kill_file.c_str(), F_OK) < 0) {
            SKIP_TEST("there is no cgroup.kill before Linux 5.14");
        }
        Peer peer([&] {
            if (geteuid() != 0) {
                leave_out_here("only root can become another user");
            }
            Process process = spawn_with_grandchild(cgroup);
            expect(chown(kill_file.c_str(), may_write ? nobody : 0, 0) == 0);
            expect(setresuid(nobody, nobody, nobody) == 0);
            expect(may_write ? process.kill() == ExitStatus::killed(SIGKILL)
                             : is_refused([&] { process.kill(); }));
        });
        CHECK_REACHED_THE_END_OR_SKIP(peer);
        CHECK((may_write || write_to(kill_file, "1")));
        CHECK(cgroup.becomes_empty());
    }
}

TEST_CASE("each process of the cgroup is asked to end before any is killed") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    Process process =
        SyncedSpawner(of_cgroup(cgroup,
                                "trap : TERM; setsid sh -c 'trap \"echo termed; exit\" TERM; echo; "
                                "while :; do sleep 0.01; done' & wait; wait; exit 3"))
            .spawn();
    await_line(process.standard_output());
    CHECK(process.terminate(1h) == ExitStatus::exited(3));
    CHECK(read_all(process.standard_output()) == "termed\n");
}

TEST_CASE("a launch that fails after its program ran leaves nothing in the cgroup") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    SpawnOptions options = of_cgroup(cgroup, with_grandchild);
    options.streams.output = Stdio::descriptor(write_end.get());
    // Cancelled by the grandchild's line, so that there is one.
    options.setup = {.cancel_when_readable = read_end.get(), .abort_grace = 0ns};
    options.readiness.within = 1h;
    CHECK(failure_of(options).cause() == Cause::cancelled);
    write_end.reset();
    CHECK(read_all(read_end.get()) == "\n");
    CHECK(cgroup.becomes_empty());
}

TEST_CASE("the cgroup that this process is in is never killed") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    SUBCASE("a launch is refused") {
        Peer peer([&] {
            expect(cgroup.take(getpid()));
            expect_same(failure_of(of_cgroup(cgroup, "true")).what(),
                        "prepare the launch: KillScope::cgroup: invalid argument "
                        "(this process itself is in that cgroup: make one for the launch alone)");
        });
        CHECK(peer.ending() == reached_the_end);
    }
    SUBCASE("a program is ended alone if this process has got there meanwhile") {
        Peer peer([&] {
            Process process = spawn_with_grandchild(cgroup);
            expect(cgroup.take(getpid()));
            expect(process.kill() == ExitStatus::killed(SIGKILL));
            expect(write_to(cgroup.path() + "/../cgroup.procs", std::to_string(getpid())));
            expect(process.kill() == ExitStatus::killed(SIGKILL));
            expect(cgroup.becomes_empty());
        });
        CHECK(peer.ending() == reached_the_end);
    }
    CHECK(cgroup.becomes_empty());
}
