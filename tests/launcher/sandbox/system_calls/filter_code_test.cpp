#include <doctest/doctest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <syncspawn/sandbox/system_calls.hpp>

#include "launcher/sandbox/system_calls/call_numbers.hpp"

// What a filter answers, by reading its code as the kernel does: every answer can be asked for here.

using namespace syncspawn::sandbox;

namespace {

struct Call {
    std::uint32_t number = 0;
    std::array<std::uint64_t, 6> arguments{};
    std::uint32_t architecture = native_architecture();
};

std::uint32_t word_of(const Call& call, std::uint32_t offset) {
    seccomp_data data{};
    data.nr = static_cast<int>(call.number);
    data.arch = call.architecture;
    std::memcpy(data.args, call.arguments.data(), sizeof data.args);
    std::uint32_t word = 0;
    REQUIRE(offset + sizeof word <= sizeof data);
    std::memcpy(&word, reinterpret_cast<const char*>(&data) + offset, sizeof word);
    return word;
}

bool is_taken(const sock_filter& jump, std::uint32_t value) {
    switch (BPF_OP(jump.code)) {
        case BPF_JEQ:
            return value == jump.k;
        case BPF_JGT:
            return value > jump.k;
        default:
            REQUIRE(BPF_OP(jump.code) == BPF_JGE);
            return value >= jump.k;
    }
}

CallAction answer(const RawSystemCallFilter& filter, const Call& call) {
    std::uint32_t value = 0;
    for (std::size_t at = 0;; ++at) {
        REQUIRE(at < filter.code.size());
        const sock_filter& one = filter.code[at];
        switch (BPF_CLASS(one.code)) {
            case BPF_LD:
                value = word_of(call, one.k);
                break;
            case BPF_ALU:
                value &= one.k;
                break;
            case BPF_JMP:
                at += BPF_OP(one.code) == BPF_JA ? one.k : is_taken(one, value) ? one.jt : one.jf;
                break;
            default:
                REQUIRE(BPF_CLASS(one.code) == BPF_RET);
                return {one.k};
        }
    }
}

// What the rule says, without a filter.
bool holds(const ArgumentTest& test, std::uint64_t argument) {
    const std::uint64_t seen = argument & test.mask;
    switch (test.comparison) {
        case ArgumentTest::Comparison::equal:
            return seen == test.value;
        case ArgumentTest::Comparison::not_equal:
            return seen != test.value;
        case ArgumentTest::Comparison::less:
            return seen < test.value;
        case ArgumentTest::Comparison::less_or_equal:
            return seen <= test.value;
        case ArgumentTest::Comparison::greater:
            return seen > test.value;
        case ArgumentTest::Comparison::greater_or_equal:
            return seen >= test.value;
    }
    return false;
}

const CallAction allowed = CallAction::allow();
const CallAction refused = CallAction::error(EPERM);

// Around the limits of each half.
const std::vector<std::uint64_t> interesting{0,           1,           7,           0x5412,
                                             0xfffffffe,  0xffffffff,  0x100000000, 0x100000001,
                                             0x100005412, 0x200000007, UINT64_MAX};

CallRule refusal(std::vector<std::string> calls, std::vector<ArgumentTest> when = {}) {
    return {.calls = std::move(calls), .action = refused, .when = std::move(when)};
}

}  // namespace

TEST_CASE(
    "every comparison of an argument means what it says, in both halves and under every mask") {
    using Comparison = ArgumentTest::Comparison;
    for (const Comparison comparison :
         {Comparison::equal, Comparison::not_equal, Comparison::less, Comparison::less_or_equal,
          Comparison::greater, Comparison::greater_or_equal}) {
        for (const std::uint64_t mask : {UINT64_MAX, std::uint64_t{UINT32_MAX},
                                         std::uint64_t{0xff00000000}, std::uint64_t{5}}) {
            for (const std::uint64_t value : interesting) {
                const ArgumentTest test{2, comparison, value & mask, mask};
                const auto filter = compile({.rules = {refusal({"getppid"}, {test})}});
                for (const std::uint64_t argument : interesting) {
                    const Call call{SYS_getppid, {9, 9, argument, 9, 9, 9}};
                    CHECK((answer(filter, call) == refused) == holds(test, argument));
                }
            }
        }
    }
}

TEST_CASE("an int argument is compared by the bits that the kernel looks at") {
    const auto filter = compile({.rules = {refusal({"ioctl"}, {int_argument(1) == 0x5412}),
                                           refusal({"getpriority"}, {int_argument(0) == -3})}});
    CHECK(answer(filter, {SYS_ioctl, {0, 0x5412}}) == refused);
    CHECK(answer(filter, {SYS_ioctl, {0, 0xdead00005412}}) == refused);
    CHECK(answer(filter, {SYS_ioctl, {0, 0x5413}}) == allowed);
    CHECK(answer(filter, {SYS_getpriority, {0xfffffffd}}) == refused);
    CHECK(answer(filter, {SYS_getpriority, {static_cast<std::uint64_t>(-3)}}) == refused);
}

TEST_CASE("the first rule that matches decides, and all of its conditions must hold") {
    const auto filter =
        compile({.rules = {{.calls = {"kill"}, .action = allowed, .when = {int_argument(1) == 0}},
                           {.calls = {"kill"},
                            .action = CallAction::trap(),
                            .when = {int_argument(0) == 7, int_argument(1) >= 9}},
                           refusal({"kill"}),
                           {.calls = {"kill"}, .action = CallAction::kill_process()}}});
    CHECK(answer(filter, {SYS_kill, {7, 0}}) == allowed);
    CHECK(answer(filter, {SYS_kill, {7, 9}}) == CallAction::trap());
    CHECK(answer(filter, {SYS_kill, {7, 8}}) == refused);
    CHECK(answer(filter, {SYS_kill, {8, 9}}) == refused);
    CHECK(answer(filter, {SYS_tkill, {8, 9}}) == allowed);
}

TEST_CASE("each call gets its own answer, however many there are") {
    // With conditions, so that no two neighbours are alike and jumps are long.
    SystemCallFilter filter{.otherwise = CallAction::kill_process()};
    for (unsigned number = 0; number < 180; ++number) {
        filter.rules.push_back({.numbers = {2 * number},
                                .action = CallAction::error(static_cast<int>(number) + 1),
                                .when = {long_argument(0) > 5, long_argument(1) <= 6}});
    }
    filter.rules.push_back({.calls = {"execve"}, .action = allowed});
    const auto code = compile(filter);
    CHECK(code.code.size() > 1000);
    for (unsigned number = 0; number < 360; ++number) {
        const bool is_execve = number == SYS_execve;
        const bool has_rule = number % 2 == 0;
        const CallAction rest = is_execve ? allowed : CallAction::kill_process();
        CHECK(answer(code, {number, {6, 6}}) ==
              (has_rule ? CallAction::error(static_cast<int>(number / 2) + 1) : rest));
        CHECK(answer(code, {number, {5, 6}}) == rest);
        CHECK(answer(code, {number, {6, 7}}) == rest);
    }
}

TEST_CASE("calls of another kind are foreign, and a call that a tracer suppresses is not") {
    const SystemCallFilter filter{.rules = {refusal({"mount"})},
                                  .foreign = CallAction::error(ENOSYS)};
    const auto code = compile(filter);
    CHECK(answer(code, {SYS_mount}) == refused);
    CHECK(answer(code, {SYS_getpid, {}, AUDIT_ARCH_I386}) == CallAction::error(ENOSYS));
    CHECK(answer(code, {SYS_getpid, {}, AUDIT_ARCH_ARM}) == CallAction::error(ENOSYS));
    CHECK(answer(compile({}), {SYS_getpid, {}, AUDIT_ARCH_I386}) == CallAction::kill_process());
    if (native_architecture() == AUDIT_ARCH_X86_64) {
        for (const std::uint32_t number :
             {0x40000000U, 0x40000000U + SYS_mount, 0xfffffffeU, 512U, 547U}) {
            CHECK(answer(code, {number}) == CallAction::error(ENOSYS));
        }
    }
    CHECK(answer(code, {UINT32_MAX}) == allowed);
    CHECK(answer(code, {511}) == allowed);
    CHECK(answer(code, {548}) == allowed);
}

TEST_CASE("the default set refuses what it lists, and nothing else that a rule names") {
    const auto code = compile(default_deny_set());
    for (const CallRule& rule : default_deny_set().rules) {
        for (const std::string& name : rule.calls) {
            const NamedCall call = find_call(name);
            CHECK_MESSAGE(call.is_known, name);
            if (call.number && rule.when.empty()) {
                CHECK_MESSAGE(answer(code, {*call.number}) == rule.action, name);
            }
        }
    }
    CHECK(answer(code, {SYS_clone3}) == CallAction::error(ENOSYS));
    CHECK(answer(code, {SYS_ptrace}) == refused);
    CHECK(answer(compile(default_deny_set(Tracing::allowed)), {SYS_ptrace}) == allowed);
    CHECK(answer(compile(default_deny_set(Tracing::allowed)), {SYS_bpf}) == refused);
    for (const long call :
         {SYS_execve, SYS_execveat, SYS_seccomp, SYS_openat, SYS_socket, SYS_prctl}) {
        CHECK(answer(code, {static_cast<std::uint32_t>(call)}) == allowed);
    }
    CHECK(answer(code, {SYS_clone, {0x11}}) == allowed);
    CHECK(answer(code, {SYS_clone, {0x10000011}}) == refused);
    CHECK(answer(code, {SYS_clone, {CLONE_PARENT | SIGCHLD}}) == refused);
    CHECK(answer(code, {SYS_clone, {CLONE_VM | CLONE_SIGHAND | CLONE_THREAD}}) == allowed);
    CHECK(answer(code, {SYS_unshare, {0x400}}) == allowed);
    CHECK(answer(code, {SYS_unshare, {0x80}}) == refused);
    CHECK(answer(code, {SYS_personality, {0xffffffff}}) == allowed);
    CHECK(answer(code, {SYS_personality, {0x0040000}}) == allowed);
    CHECK(answer(code, {SYS_personality, {0x0400000}}) == refused);
    CHECK(answer(code, {SYS_setpriority, {PRIO_PGRP, 0}}) == refused);
    CHECK(answer(code, {SYS_setpriority, {PRIO_PGRP, 1}}) == refused);
    CHECK(answer(code, {SYS_setpriority, {PRIO_PROCESS, 0}}) == allowed);
}
