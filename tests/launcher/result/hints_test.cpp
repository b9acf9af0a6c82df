#include <doctest/doctest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>

#include <syncspawn/launcher/launch.hpp>
#include <syncspawn/launcher/spawn_error.hpp>

#include "support/launched.hpp"
#include "support/namespaces.hpp"
#include "support/observe.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

// What an error advises, and above all where it advises nothing.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

std::string text_of(const SpawnError& error) { return error.what(); }

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

void limit_descriptors_to(rlim_t count) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = count;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void drop_capability(unsigned number) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
    expect(syscall(SYS_capget, &header, sets) == 0);
    sets[number / 32].effective &= ~(1U << (number % 32));
    expect(syscall(SYS_capset, &header, sets) == 0);
}

constexpr std::array errors{EPERM,  EACCES, EAGAIN, ENOSPC,     ENOMEM, EMFILE, ENFILE,
                            EINVAL, EBUSY,  ENODEV, EOPNOTSUPP, EBADF,  ENOENT, ENOTDIR};
constexpr std::array words{"upload the heatmap",
                           "uid map",
                           "write '/proc/1/uid_map'",
                           "setgroups",
                           "clone3",
                           "fork",
                           "fcntl(F_DUPFD_CLOEXEC)",
                           "barrier",
                           "cgroup.procs",
                           "pthread_create",
                           "setsid"};

Step step_that_fails(const std::string& word, WhichSide side, int error) {
    const auto fails = [&word, error](Side& part) { return part.fail(error, word.c_str()); };
    return side == WhichSide::child ? Step{.name = word, .child = shared_memory(fails)}
                                    : Step{.name = word, .parent = fails};
}

Part<ParentSide> parent_part_that_fails(int error, Hint hint) {
    return [=](ParentSide& side) { return side.fail(error, "call", hint); };
}

}  // namespace

TEST_CASE("whatever words a user has for a step and its failure, they give no hint") {
    SpawnOptions options{.program = "true", .ending = {.scope = KillScope::process_group}};
    SUBCASE("in the child") {}
    SUBCASE("in a child in namespaces of its own") {
        options.birth.namespaces = Namespaces::user | Namespaces::uts;
        if (failure_of(options)) {
            SKIP_TEST("this machine forbids new namespaces");
        }
    }
    for (const std::string word : words) {
        for (const int error : errors) {
            for (const WhichSide side : {WhichSide::child, WhichSide::parent}) {
                SyncedSpawner spawner(options);
                spawner.step(step_that_fails(word, side, error));
                const SpawnError failure = failure_of(spawner);
                REQUIRE(failure.step() == word);
                REQUIRE(failure.detail() == word);
                REQUIRE(failure.side() == side);
                REQUIRE(failure.hint() == "");
            }
        }
    }
}

TEST_CASE("a part that says that it wrote an id map is told why that is refused") {
    SyncedSpawner spawner({.program = "true"});
    SUBCASE("in the parent") {
        spawner.step({.name = "x", .parent = parent_part_that_fails(EPERM, Hint::id_map)});
        CHECK(text_of(failure_of(spawner))
                  .starts_with("x in the parent: call: operation not permitted ("));
    }
    SUBCASE("in the child") {
        spawner.step({.name = "x", .child = shared_memory([](ChildSide& side) {
                                       return side.fail(EPERM, "call", Hint::id_map);
                                   })});
        CHECK(text_of(failure_of(spawner))
                  .starts_with("x in the child: call: operation not permitted ("));
    }
    SUBCASE("but not of another errno, which says it all") {
        spawner.step({.name = "x", .parent = parent_part_that_fails(ENOENT, Hint::id_map)});
        CHECK(failure_of(spawner).hint() == "");
    }
}

TEST_CASE("what a part said of a failure that it made good is not said of a later one") {
    SyncedSpawner spawner({.program = "true", .working_directory = "/nowhere"});
    spawner.step({.name = "x", .child = shared_memory([](ChildSide& side) {
                                   (void)side.fail(EPERM, "call", Hint::id_map);
                               })});
    CHECK(text_of(failure_of(spawner)) ==
          "chdir to '/nowhere' in the child: no such file or directory");
}

TEST_CASE("id map: the capabilities that the writer lacks are named") {
    if (geteuid() != 0) {
        SKIP_TEST("takes root, with all capabilities");
    }
    Peer peer([] {
        drop_capability(CAP_SETGID);
        drop_capability(CAP_SETFCAP);
        SyncedSpawner spawner({.program = "true"});
        spawner.step({.name = "x", .parent = parent_part_that_fails(EPERM, Hint::id_map)});
        expect_same(failure_of(spawner).hint().c_str(),
                    "this process lacks CAP_SETGID, CAP_SETFCAP");
    });
    CHECK(peer.ending() == reached_the_end);
}

// An ordinary user's process whose program may not be read has neither this flag nor its own files.
TEST_CASE("id map: a process that is not dumpable is told so") {
    Peer peer([] {
        expect(geteuid() != 0 || setresuid(65534, 65534, 65534) == 0);
        expect(prctl(PR_SET_DUMPABLE, 0) == 0);
        SyncedSpawner spawner({.program = "true", .birth = {.namespaces = Namespaces::user}});
        spawner.step({.name = "x", .parent = [](ParentSide& side) {
                          const std::string map =
                              "/proc/" + std::to_string(side.child_pid()) + "/uid_map";
                          const UniqueFd file(open(map.c_str(), O_WRONLY | O_CLOEXEC));
                          return file ? side.done() : side.fail("open", Hint::id_map);
                      }});
        const SpawnError error = failure_of(spawner);
        if (error.stage() == Stage::start) {
            leave_out_here("this machine forbids user namespaces");
        }
        expect(error.code() == std::errc::permission_denied);
        expect(error.hint().starts_with("this process is not dumpable, "));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a child that has no room for its descriptors says so, and that it was the child") {
    Peer peer([] {
        close_range(3, ~0U, 0);
        SpawnOptions options{.program = "true", .readiness = {.hand_over = HandOver::barrier}};
        // A sanitizer opens a pipe when a class is first called.
        expect(SyncedSpawner(options).spawn().wait().success());
        limit_descriptors_to(10);
        const SpawnError error = failure_of(options);
        limit_descriptors_to(100);  // for what looks at them
        expect(error.stage() == Stage::start && error.side() == WhichSide::child);
        expect(text_of(error).starts_with("start in the child: "));
        expect_same(error.hint().c_str(),
                    "the child's limit of descriptors is too low for the launch: RLIMIT_NOFILE");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("prepare: the limits of what makes children are not those of what is opened") {
    Peer peer([] {
        refuse_system_calls({SYS_epoll_create1}, ENOMEM);
        SyncedSpawner spawner({.program = "true", .birth = {.namespaces = Namespaces::uts}});
        Launch launch = spawner.launch();
        expect(launch.advance());
        SpawnError error;
        (void)launch.take_process(error);
        expect_same(error.what(), "prepare the launch: epoll_create1: cannot allocate memory");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("start: namespaces that a filter forbids are not put down to a capability") {
    if (geteuid() != 0) {
        SKIP_TEST("takes root, with all capabilities");
    }
    Peer peer([] {
        refuse_system_calls({SYS_clone, SYS_clone3}, EPERM);
        expect_same(failure_of({.program = "true", .birth = {.namespaces = Namespaces::uts}})
                        .hint()
                        .c_str(),
                    "a seccomp filter or a container forbids these namespaces");
        expect_same(failure_of({.program = "true"}).hint().c_str(), "");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("start: a pid namespace whose first process has ended is named") {
    Peer peer = peer_in_namespaces(CLONE_NEWPID, [] {
        const pid_t first = fork();
        if (first == 0) {
            _exit(0);
        }
        expect(waitpid(first, nullptr, 0) == first);
        SpawnOptions options{.program = "true"};
        for (const StartMethod method : {StartMethod::copied_memory, StartMethod::automatic}) {
            options.birth.method = method;
            const SpawnError error = failure_of(options);
            expect_same(error.what(),
                        "start the child: fork: cannot allocate memory (this process's children "
                        "are to be in another pid namespace, and the first process there has "
                        "ended; or there is no memory)");
        }
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a part that shares memory and exits is asked whether it called exit(3)") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    SyncedSpawner spawner(with_shared_memory({.program = "true"}));
    spawner.step({.name = "x", .child = shared_memory([](ChildSide&) { _exit(9); })});
    const SpawnError error = failure_of(spawner);
    CHECK(text_of(error).starts_with(
        "the child exited with code 9 in step 'x' (did the part call exit(3)? "));
    CHECK(error.hint().starts_with("did the part call exit(3)? "));
}

// The part never ends, so the deadline may be as short as one likes.
TEST_CASE(
    "a late part of a cloned child is asked whether it called setuid(3), if there are threads") {
    Peer peer([] {
        std::atomic<bool> is_over{false};
        std::thread other([&] { is_over.wait(false); });
        // The part never ends. A child that has not come to it by its deadline gets more time.
        SpawnError late;
        for (auto timeout = 50ms; timeout < 600s && late.step() != "x"; timeout *= 4) {
            SyncedSpawner spawner(
                {.program = "true",
                 .birth = {.method = StartMethod::copied_memory, .namespaces = Namespaces::uts},
                 .setup = {.within = timeout, .abort_grace = 0ns}});
            spawner.step({.name = "x", .child = async_signal_safe([](ChildSide&) { pause(); })});
            late = failure_of(spawner);
            if (late.cause() == Cause::error) {
                leave_out_here("this machine forbids new namespaces");
            }
        }
        is_over = true;
        is_over.notify_one();
        other.join();
        expect(late.hint().starts_with("does the part call setuid(3) or the like? "));
        expect(contains(text_of(late), " (does the part call setuid(3) "));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE(
    "a process group and a session of one's own: setsid is refused, and its hint has the way") {
    SpawnOptions options = shell("exec cat /proc/self/stat");
    const auto session = [](ChildSide& side) {
        return setsid() < 0 ? side.fail("setsid", Hint::session) : side.done();
    };
    SUBCASE("by a part, in a process group") {
        options.ending.scope = KillScope::process_group;
        SyncedSpawner spawner(options);
        spawner.step({.name = "x", .child = shared_memory(session)});
        CHECK(text_of(failure_of(spawner)) ==
              "x in the child: setsid: operation not permitted (the child leads a process group "
              "already; KillScope::session makes it lead both)");
    }
    SUBCASE("by the launch") {
        options.ending.scope = KillScope::session;
        for (const StartMethod method : start_methods()) {
            options.birth.method = method;
            options.streams.output = Stdio::pipe();
            Process process = SyncedSpawner(options).spawn();
            const std::string stat = read_all(process.standard_output());
            const std::string pid = std::to_string(process.pid());
            CHECK(process.wait().success());
            // PID (NAME) STATE PPID PGRP SESSION
            CHECK(stat.starts_with(pid + " (cat) R " + std::to_string(getpid()) + " " + pid + " " +
                                   pid + " "));
        }
    }
}
