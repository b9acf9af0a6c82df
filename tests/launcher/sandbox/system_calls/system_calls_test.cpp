#include <doctest/doctest.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/sandbox/system_calls.hpp>
#include <syncspawn/steps.hpp>

#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"
#include "support/sanitizers.hpp"
#include "support/shared_memory.hpp"
#include "support/steps.hpp"

// sandbox::system_calls() and the ready-made filters, by programs that run under them.

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

const std::string make_system_call = SYNCSPAWN_TEST_HELPERS "/make_system_call";

SpawnOptions one_call(long number, const std::vector<std::uint64_t>& arguments = {}) {
    SpawnOptions options{.program = make_system_call, .arguments = {std::to_string(number)}};
    for (const std::uint64_t argument : arguments) {
        options.arguments.push_back(std::to_string(argument));
    }
    return options;
}

// The output of the program, and how it ended unless well; or the error of its launch.
std::string outcome_with(SpawnOptions options, const std::vector<SystemCallFilter>& filters) {
    options.streams.output = Stdio::pipe();
    options.streams.error = Stdio::same_as_output();
    SyncedSpawner spawner(std::move(options));
    spawner.step(steps::no_new_privileges());
    for (const SystemCallFilter& filter : filters) {
        spawner.step(system_calls(filter));
    }
    SpawnError error;
    Process process = spawner.spawn(error);
    if (error) {
        return error.what();
    }
    const std::string text = read_all(process.standard_output());
    const ExitStatus status = process.wait();
    return status.success() ? text : text + "[" + status.to_string() + "]";
}

std::string errno_with(long number, const std::vector<std::uint64_t>& arguments,
                       const SystemCallFilter& filter) {
    return outcome_with(one_call(number, arguments), {filter});
}

std::string line(int error) { return std::to_string(error) + "\n"; }

bool begins(const std::string& text, const char* with) { return text.starts_with(with); }

SystemCallFilter refusing(std::vector<std::string> calls, CallAction action) {
    return {.rules = {{.calls = std::move(calls), .action = action}}};
}

std::string refusal_of(const SystemCallFilter& filter) {
    return thrown_by<std::invalid_argument>([&] { (void)system_calls(filter); });
}

// A shell's command that must be quiet, as this user and as an ordinary one.
void check_runs(const std::string& text) {
    const auto run = [&] { return outcome_with(shell(text), {default_deny_set()}); };
    CHECK_MESSAGE(run() == "", text);
    Peer peer([&] {
        become_ordinary_user();
        expect_same(run().c_str(), "");
    });
    CHECK_MESSAGE(peer.ending() == reached_the_end, text);
}

}  // namespace

TEST_CASE("every action does what it says, whatever memory the child starts in") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        const auto with = [&](CallAction action) {
            SpawnOptions options = one_call(SYS_getpriority);
            options.birth.method = method;
            return outcome_with(std::move(options), {refusing({"getpriority"}, action)});
        };
        CHECK(with(CallAction::allow()) == line(0));
        CHECK(with(CallAction::log()) == line(0));
        CHECK(with(CallAction::error(ENOTSUP)) == line(ENOTSUP));
        CHECK(with(CallAction::kill_process()).starts_with("[killed by SIGSYS"));
        CHECK(with(CallAction::trap()).starts_with("[killed by SIGSYS"));
    }
}

TEST_CASE("the strictest of several filters holds") {
    const SystemCallFilter error = refusing({"getpriority"}, CallAction::error(ENOTSUP));
    const SystemCallFilter kill = refusing({"getpriority"}, CallAction::kill_process());
    CHECK(outcome_with(one_call(SYS_getpriority), {error, {}}) == line(ENOTSUP));
    CHECK(outcome_with(one_call(SYS_getpriority), {kill, error}).starts_with("[killed by SIGSYS"));
    CHECK(outcome_with(one_call(SYS_getpriority), {error, kill}).starts_with("[killed by SIGSYS"));
}

TEST_CASE("a filter that refuses the next one is named") {
    CHECK(
        outcome_with(one_call(SYS_getpid), {refusing({"seccomp"}, CallAction::error(EPERM)), {}}) ==
        "system calls in the child: seccomp: a filter that is in force already refuses this one: "
        "operation not permitted");
}

TEST_CASE("a list of what is allowed is enough for a program that was made for it") {
    SpawnOptions options{.program = SYNCSPAWN_TEST_HELPERS "/bare_program"};
    const std::string without = outcome_with(options, {});
    SystemCallFilter filter{.otherwise = CallAction::kill_process(),
                            .rules = {{.calls = {"execve", "write", "exit_group", "exit"},
                                       .action = CallAction::allow()}}};
#ifdef SYNCSPAWN_SANITIZED  // its run time looks for an alternate stack before execve
    filter.rules[0].calls.emplace_back("sigaltstack");
#endif
    CHECK(outcome_with(options, {filter}) == without);
    filter.rules[0].calls[1] = "read";
    CHECK(outcome_with(options, {filter}).find("SIGSYS") != std::string::npos);
}

TEST_CASE("without no_new_privs an ordinary user is told what is missing") {
    Peer peer([] {
        become_ordinary_user();
        expect_same(error_with({.program = "true"}, system_calls(default_deny_set())).c_str(),
                    "system calls in the child: seccomp: it takes no_new_privs: add "
                    "steps::no_new_privileges(): permission denied");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("code of one's own is installed as it is, and what the kernel refuses is reported") {
    const RawSystemCallFilter compiled =
        compile(refusing({"getpriority"}, CallAction::error(ENOTSUP)));
    const auto outcome = [](const RawSystemCallFilter& filter) {
        SyncedSpawner spawner = with_step(one_call(SYS_getpriority), steps::no_new_privileges());
        spawner.step(system_calls(filter));
        SpawnError error;
        Process process = spawner.spawn(error);
        return std::string(error.what());
    };
    CHECK(outcome(compiled) == "no error");
    CHECK(outcome({.code = {BPF_STMT(BPF_LD | BPF_IMM, 0)}}) ==
          "system calls in the child: seccomp: the kernel refuses the code of the filter: invalid "
          "argument");
    CHECK_THROWS_AS((void)system_calls(RawSystemCallFilter{}), std::invalid_argument);
}

TEST_CASE("what makes no sense as a filter is refused") {
    CHECK(refusal_of(refusing({"opennat"}, {})) ==
          "system calls: there is no 'opennat'; is 'openat' meant?");
    CHECK(refusal_of(refusing({"cachstat"}, {})) ==
          "system calls: there is no 'cachstat'; is 'cachestat' meant?");
    CHECK(refusal_of({.rules = {{.calls = {"opennat"}, .unknown = UnknownCall::skip}}}) ==
          "nothing");
    CHECK(refusal_of(refusing({"vm86", "socketcall"}, CallAction::error(EPERM))) == "nothing");
    CHECK(refusal_of(refusing({"execve"}, CallAction::error(EPERM))) ==
          "system calls: the filter refuses execve, so no program can run");
    CHECK(refusal_of({.otherwise = CallAction::kill_process()}) ==
          "system calls: the filter refuses execve, so no program can run");
    CHECK(refusal_of(refusing({}, {})) == "system calls: a rule names no call");
    CHECK(refusal_of(refusing({"read"}, CallAction::error(0))) ==
          "system calls: there is no error 0");
    CHECK(refusal_of(refusing({"read"}, CallAction{SECCOMP_RET_TRACE})) ==
          "system calls: there is no such action: 2146435072");
    CHECK(refusal_of({.rules = {{.calls = {"read"}, .when = {(int_argument(0) & 1) == 2}}}}) ==
          "system calls: a condition never holds: the value has bits that are not looked at");
    CHECK(refusal_of({.rules = {{.calls = {"read"}, .when = {int_argument(6) == 2}}}}) ==
          "system calls: a call has no argument 6: they are 0 to 5");
}

// Listeners.

namespace {

// Answers one call with an errno.
void answer_once(const UniqueFd& listener, int error) {
    seccomp_notif call{};
    if (ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) == 0) {
        seccomp_notif_resp response{};
        response.id = call.id;
        response.error = -error;
        (void)ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_SEND, &response);
    }
}

const SystemCallFilter asking = refusing({"getpriority"}, CallAction::notify());

}  // namespace

TEST_CASE("a call that the filter asks about gets the answer of the listener") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        SpawnOptions options = one_call(SYS_getpriority);
        options.birth.method = method;
        options.streams.output = Stdio::pipe();
        SystemCallListener listener;
        SyncedSpawner spawner = with_step(std::move(options), steps::no_new_privileges());
        spawner.step(system_calls(default_deny_set()));
        spawner.step(
            system_calls(asking, [&](SystemCallListener opened) { listener = std::move(opened); }));
        Process process = spawner.spawn();
        CHECK(listener.process == process.pid());
        CHECK(is_close_on_exec(listener.descriptor.get()));
        answer_once(listener.descriptor, EOWNERDEAD);
        CHECK(read_all(process.standard_output()) == line(EOWNERDEAD));
    }
}

TEST_CASE("a call that nobody can answer any more fails with ENOSYS") {
    SpawnOptions options = one_call(SYS_getpriority);
    options.streams.output = Stdio::pipe();
    SyncedSpawner spawner = with_step(std::move(options), steps::no_new_privileges());
    spawner.step(system_calls(asking, [](const SystemCallListener&) {}));
    Process process = spawner.spawn();
    CHECK(read_all(process.standard_output()) == line(ENOSYS));
}

TEST_CASE("a filter with a listener lets the launch through") {
    const auto refusal_with_listener = [](const SystemCallFilter& filter) {
        return thrown_by<std::invalid_argument>(
            [&] { (void)system_calls(filter, [](const SystemCallListener&) {}); });
    };
    CHECK(begins(refusal_of(asking), "system calls: nobody would answer"));
    CHECK(refusal_with_listener(asking) == "nothing");
    CHECK(begins(refusal_with_listener(refusing({"execve"}, CallAction::notify())),
                 "system calls: the filter refuses execve"));
    CHECK(refusal_with_listener({.rules = {{.calls = {"execve"},
                                            .action = CallAction::notify(),
                                            .when = {int_argument(2) == 0}}}}) ==
          "system calls: with a listener the filter must allow execve");
    CHECK(begins(refusal_with_listener(refusing({"sendmsg"}, CallAction::notify())),
                 "system calls: with a listener the filter must allow sendmsg"));
    CHECK(begins(refusal_with_listener({.otherwise = CallAction::notify()}),
                 "system calls: the filter refuses"));
}

// The default set. Without the filter each of these calls fails with something else, or does no harm.

TEST_CASE("the default set refuses calls that succeed, or fail otherwise, without it") {
    struct Refused {
        long number;
        std::vector<std::uint64_t> arguments;
        int error = EPERM;
    };
    const std::uint64_t odd_bits = 0x700000000;  // the kernel ignores them
    for (const Refused& one : std::vector<Refused>{
             {SYS_mount, {}},
             {SYS_unshare, {CLONE_NEWUSER}},
             {SYS_unshare, {CLONE_NEWUSER | CLONE_NEWNS}},
             {SYS_setns, {static_cast<std::uint64_t>(-1), 0}},
             {SYS_clone, {CLONE_NEWUSER | CLONE_SIGHAND}},
             {SYS_clone3, {}, ENOSYS},
             {SYS_bpf, {UINT32_MAX}},
             {SYS_perf_event_open, {}},
             {SYS_keyctl, {UINT32_MAX}},
             {SYS_io_uring_setup, {0}, ENOSYS},
             {SYS_personality, {0x0400000}},
             {SYS_ioctl, {99, TIOCSTI}},
             {SYS_ioctl, {99, odd_bits | TIOCSTI}},
             {SYS_ioctl, {99, odd_bits | TIOCLINUX}},
             {SYS_ptrace, {UINT32_MAX}},
             {SYS_process_vm_readv, {0, 0, 0, 0, 0, 1}},
             {SYS_swapon, {0, UINT32_MAX}},
             {SYS_clock_settime, {99}},
         }) {
        const std::string number = std::to_string(one.number);
        CHECK_MESSAGE(errno_with(one.number, one.arguments, default_deny_set()) == line(one.error),
                      number);
        if (geteuid() == 0) {  // an ordinary user may hear EPERM from the kernel
            CHECK_MESSAGE(errno_with(one.number, one.arguments, {}) != line(one.error), number);
        }
    }
}

TEST_CASE("ordinary programs run under the default set") {
    check_runs("for i in 1 2 3; do echo $i; done | sort -r | head -1 | grep -q 3");
    check_runs(
        "d=$(mktemp -d) && export HOME=$d && cd $d && git init -q . && echo a >a && git add a && "
        "git -c user.name=a "
        "-c user.email=a@b commit -qm a; s=$?; rm -rf $d; exit $s");
    check_runs("echo 'all: ; @true' | make -s -f -");
    check_runs(
        "d=$(mktemp -d) && echo 'int main(void) { return 0; }' >$d/a.c && cc -o $d/a $d/a.c && "
        "$d/a; s=$?; rm -rf $d; exit $s");
    if (access("/usr/bin/python3", X_OK) == 0) {
        check_runs(
            "/usr/bin/python3 -c 'import subprocess, threading, socket; subprocess.run([\"true\"], "
            "check=True); t = threading.Thread(target=print, args=[\"\"], kwargs={\"end\": \"\"}); "
            "t.start(); t.join(); socket.socketpair()'");
    }
    if (access("/usr/bin/node", X_OK) == 0) {
        check_runs(
            "/usr/bin/node -e 'require(\"fs\").promises.readFile(\"/proc/self/status\").then(() => "
            "require(\"child_process\").execFileSync(\"true\"))'");
    }
}

#ifdef __x86_64__
TEST_CASE(
    "a call by another door kills the program, and does nothing where an error is asked for") {
    for (const char* const door : {"int80", "x32"}) {
        const SpawnOptions options{.program = make_system_call, .arguments = {door}};
        CHECK(outcome_with(options, {default_deny_set()}).starts_with("[killed by SIGSYS"));
        CHECK(outcome_with(options, {{.foreign = CallAction::error(EOWNERDEAD)}}) ==
              line(EOWNERDEAD));
        // Whether the kernel has these calls or not, it does not kill so.
        const std::string without = outcome_with(options, {});
        CHECK(!without.starts_with("[killed by SIGSYS"));
    }
}
#endif

TEST_CASE("only sockets of the families that are named can be made") {
    const SystemCallFilter local = socket_families({AF_UNIX});
    CHECK(errno_with(SYS_socket, {AF_UNIX, SOCK_STREAM}, local) == line(0));
    CHECK(errno_with(SYS_socket, {AF_INET, SOCK_STREAM}, {}) == line(0));
    CHECK(errno_with(SYS_socket, {AF_INET, SOCK_STREAM}, local) == line(EAFNOSUPPORT));
    CHECK(errno_with(SYS_socket, {0x700000000 | AF_INET, SOCK_STREAM}, local) ==
          line(EAFNOSUPPORT));
    CHECK(errno_with(SYS_socket, {AF_NETLINK, SOCK_RAW}, local) == line(EAFNOSUPPORT));
    CHECK(errno_with(SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, 0}, local) == line(EFAULT));
    CHECK(errno_with(SYS_socketpair, {AF_INET, SOCK_STREAM, 0, 0}, local) == line(EAFNOSUPPORT));
    CHECK(errno_with(SYS_io_uring_setup, {0}, local) == line(ENOSYS));
    CHECK(errno_with(SYS_socket, {AF_UNIX, SOCK_STREAM}, socket_families({})) ==
          line(EAFNOSUPPORT));
    CHECK(errno_with(SYS_socket, {AF_INET6, SOCK_DGRAM}, socket_families({AF_INET, AF_INET6})) ==
          line(0));
}
