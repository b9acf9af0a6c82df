#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>

#include "launcher/sandbox/policy/cgroup_limits.hpp"
#include "launcher/sandbox/policy/process_files.hpp"
#include "support/observe.hpp"
#include "support/sandboxed.hpp"

// Sandbox::enforcement(): what the kernel says of a program that runs.

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

Process sleeping(const Sandbox& sandbox) {
    SyncedSpawner spawner({.program = "sleep", .arguments = {"1000"}});
    sandbox.add_to(spawner);
    return spawner.spawn();
}

EnforcedGuarantee report_of(const Sandbox& sandbox, const Process& process, Guarantee guarantee,
                            const std::string& mechanism = "") {
    for (EnforcedGuarantee& one : sandbox.enforcement(process).guarantees) {
        if (one.holding.guarantee == guarantee &&
            (mechanism.empty() || one.holding.mechanism == mechanism)) {
            return std::move(one);
        }
    }
    expect(false);
    return {};
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the report is read back from the kernel, and contradicts nothing") {
    as_everybody([] {
        const Sandbox sandbox = planned({.limits = {.open_files = 64}});
        SyncedSpawner spawner({.program = "sleep", .arguments = {"1000"}});
        sandbox.add_to(spawner);
        Process process = spawner.spawn();
        const Enforcement report = sandbox.enforcement(process);
        expect(report.is_as_planned());
        for (const EnforcedGuarantee& one : report.guarantees) {
            const bool is_by_landlock = one.holding.mechanism.find("Landlock") != std::string::npos;
            expect(one.reading == (is_by_landlock ? Reading::unread : Reading::confirmed));
            expect(!one.evidence.empty());
        }
        process.kill();
        // Of a program that is gone it claims nothing.
        for (const EnforcedGuarantee& one : sandbox.enforcement(process).guarantees) {
            expect(one.reading == Reading::unread);
        }
    });
}

// Whoever first reads waits for the end of run()'s callback.
// A part right before execve that tells, and waits until it is told to go on.
Step waiting(int childs) {
    return {.name = "looked at",
            .last = shared_memory([childs](ChildSide& side) {
                char answer = 0;
                const bool goes_on = write(childs, "?", 1) == 1 && read(childs, &answer, 1) == 1;
                return goes_on ? side.done() : side.fail("wait");
            }),
            .descriptors = {childs}};
}

TEST_CASE(
    "a child that waits right before its execve is read back, however soon the program ends") {
    as_everybody([] {
        const Sandbox sandbox = planned({.limits = {.open_files = 64}});
        int ends[2];
        expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
        const UniqueFd own(ends[0]);
        const UniqueFd childs(ends[1]);
        pid_t child = -1;
        SyncedSpawner spawner({.program = "true"});
        sandbox.add_to(spawner);
        spawner.step(
            {.name = "its number", .parent = [&](ParentSide& side) { child = side.child_pid(); }});
        spawner.step(waiting(childs.get()));
        Enforcement report;
        Launch launch = spawner.launch();
        while (!launch.advance()) {
            pollfd events[]{{launch.descriptor(), POLLIN, 0}, {own.get(), POLLIN, 0}};
            poll(events, 2, -1);
            char question = 0;
            if (recv(own.get(), &question, 1, MSG_DONTWAIT) == 1) {
                report = sandbox.enforcement(child);
                expect(send(own.get(), "!", 1, MSG_NOSIGNAL) == 1);
            }
        }
        expect(launch.take_process().wait().success());
        expect(report.is_as_planned());
        for (const EnforcedGuarantee& one : report.guarantees) {
            const bool is_by_landlock = contains(one.holding.mechanism, "Landlock");
            expect(one.reading == (is_by_landlock ? Reading::unread : Reading::confirmed));
        }
    });
}

TEST_CASE("in run(), too, what is enforced is read back, before the program has its input") {
    as_everybody([] {
        const Sandbox sandbox = planned({.limits = {.open_files = 64}});
        SyncedSpawner spawner({.program = "cat"});
        sandbox.add_to(spawner);
        Enforcement report;
        const auto input = [left = 1]() mutable { return left-- > 0 ? "in" : ""; };
        const auto ask = [&](const Process& process) { report = sandbox.enforcement(process); };
        expect(run(spawner, {.input = input, .launched = ask}).output == "in");
        expect(report.is_as_planned());
        for (const EnforcedGuarantee& one : report.guarantees) {
            expect(!contains(one.evidence, "has ended"));
        }
    });
}

// With a reaper the program's own process is gone by then; without one, a zombie tells some.
TEST_CASE("of a program that has ended the report says so, and confirms no more than it can read") {
    as_everybody([] {
        for (const bool has_reaper : {false, true}) {
            const Sandbox sandbox = planned({.processes = {.reaper = has_reaper}});
            SyncedSpawner spawner({.program = "true"});
            sandbox.add_to(spawner);
            EnforcedGuarantee files;
            const auto ask = [&](const Process& process) {
                siginfo_t info{};
                expect(waitid(P_PID, static_cast<id_t>(process.pid()), &info, WEXITED | WNOWAIT) ==
                       0);
                expect(sandbox.enforcement(process).is_as_planned());
                files = report_of(sandbox, process, Guarantee::files);
            };
            expect(run(spawner, {.launched = ask}).success());
            expect(files.reading == Reading::unread);
            expect(contains(files.evidence, "the program has ended"));
        }
    });
}

TEST_CASE("a program that is not held is found out") {
    as_everybody([] {
        const Sandbox sandbox = planned({});
        const Process plain = SyncedSpawner({.program = "sleep", .arguments = {"1000"}}).spawn();
        const Enforcement report = sandbox.enforcement(plain);
        expect(!report.is_as_planned());
        expect(report.to_string().find("NOT SO") != std::string::npos);
    });
}

TEST_CASE("the first process is looked at, too: who it is, and what it may do") {
    as_everybody([] {
        const Sandbox sandbox = planned({});
        const Process process = sleeping(sandbox);
        const EnforcedGuarantee report = report_of(sandbox, process, Guarantee::processes);
        expect(report.reading == Reading::confirmed);
        expect(contains(report.evidence, "pid 1: NSpid 1, not dumpable, Uid "));
        expect(contains(report.evidence, "CapEff 0000000000000000"));
    });
}

TEST_CASE("a first process that can be traced is found out") {
    as_everybody([] {
        const Sandbox sandbox = planned({});
        // A shell in the reaper's place, whose child is the one that looks like the program.
        SpawnOptions options = sandbox.options_for(shell("sleep 1000 & echo up; wait"));
        options.birth.first_process = FirstProcess::program;
        options.streams.output = Stdio::pipe();
        SyncedSpawner spawner(std::move(options));
        for (Step& step : sandbox.steps()) {
            spawner.step(std::move(step));
        }
        const Process traceable = spawner.spawn();
        char up = 0;
        expect(read(traceable.standard_output(), &up, 1) == 1);
        const EnforcedGuarantee report = report_of(sandbox, traceable, Guarantee::processes);
        expect(report.reading == Reading::refuted);
        expect(contains(report.evidence, "pid 1: NSpid 1, dumpable"));
        expect(!sandbox.enforcement(traceable).is_as_planned());
    });
}

TEST_CASE("limits that are held by the second choice are read back") {
    as_everybody([] {
        Machine machine = Machine::here();
        machine.cgroups = {.refusal = std::make_error_code(std::errc::not_supported)};
        const Policy policy{.limits = {.memory = std::uint64_t{1} << 47,
                                       .processes = 5000,
                                       .cpus = 1,
                                       .open_files = 64},
                            .accept_weaker = {Guarantee::limits}};
        const char* const second = "rlimits and CPU affinity";
        const Sandbox sandbox(policy, machine);
        const Process process = sleeping(sandbox);
        const EnforcedGuarantee report = report_of(sandbox, process, Guarantee::limits, second);
        expect(report.reading == Reading::confirmed);
        expect_same(report.evidence.c_str(),
                    "Max address space 140737488355328, Max processes 5000, 1 CPUs");
        const Process plain = SyncedSpawner({.program = "sleep", .arguments = {"1000"}}).spawn();
        expect(report_of(sandbox, plain, Guarantee::limits, second).reading == Reading::refuted);
    });
}

TEST_CASE("a filter that all processes here have is not taken for the sandbox's") {
    Peer peer([] {
        refuse_system_calls({SYS_acct}, EPERM);  // which nobody here calls
        const Sandbox sandbox = planned({});
        const Process plain = SyncedSpawner({.program = "sleep", .arguments = {"1000"}}).spawn();
        const auto reading = [&](const Process& process) {
            return report_of(sandbox, process, Guarantee::system_calls).reading;
        };
        expect(reading(plain) == Reading::unread);
        const Process held = sleeping(sandbox);
        // Before Linux 5.9 their number cannot be told.
        expect(reading(held) == Reading::confirmed ||
               read_file("/proc/self/status").find("Seccomp_filters:") == std::string::npos);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a limit that the program could raise is not taken for one") {
    Peer peer([] {
        constexpr rlim_t wanted = 50;
        const rlimit low{wanted, wanted};
        const rlimit raised{wanted, wanted + 1};
        Evidence as_wanted;
        Evidence could_be_raised;
        const ProcessFiles own(getpid());
        expect(setrlimit(RLIMIT_CORE, &raised) == 0);
        own.look_at_limit(could_be_raised, "Max core file size", wanted);
        expect(setrlimit(RLIMIT_CORE, &low) == 0);
        own.look_at_limit(as_wanted, "Max core file size", wanted);
        const EnforcedGuarantee refuted = std::move(could_be_raised).take({});
        expect(refuted.reading == Reading::refuted);
        expect_same(refuted.evidence.c_str(), "Max core file size 50 of 51");
        expect(std::move(as_wanted).take({}).reading == Reading::confirmed);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("the files of a cgroup must say what was asked for, to the page") {
    const TemporaryDirectory cgroup;
    const UniqueFd directory(open(cgroup.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    const std::vector<CgroupSetting> settings =
        settings_of({.memory = 10 * page + 1, .processes = 5, .cpus = 1.5, .io_weight = 50});
    const std::string memory = std::to_string(10 * page);
    const auto reading = [&](const std::string& processes) {
        (void)cgroup.file("memory.max", memory + "\n", 0600);
        (void)cgroup.file("pids.max", processes + "\n", 0600);
        (void)cgroup.file("cpu.max", "150000 100000\n", 0600);
        (void)cgroup.file("io.weight", "default 50\n8:0 100\n", 0600);
        Evidence evidence;
        look_at_settings(evidence, directory.get(), settings);
        return std::move(evidence).take({});
    };
    CHECK(reading("5").evidence ==
          "memory.max=" + memory + ", pids.max=5, cpu.max=150000 100000, io.weight=default 50");
    CHECK(reading("max").reading == Reading::refuted);
    CHECK(contains(reading("6").evidence, "pids.max=6 and not 5"));
    CHECK(reading("5").reading == Reading::confirmed);
    REQUIRE(unlink((cgroup / "io.weight").c_str()) == 0);
    Evidence evidence;
    look_at_settings(evidence, directory.get(), settings);
    CHECK(std::move(evidence).take({}).reading == Reading::unread);
}
