#include <syncspawn/sandbox/system_calls.hpp>

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "call_numbers.hpp"
#include "filter_code.hpp"
#include "launcher/sandbox/child/system_calls.hpp"

namespace syncspawn::sandbox {
namespace {

constexpr std::size_t most_instructions = BPF_MAXINSNS;
constexpr std::size_t most_conditions = 16;  // so that every jump over one rule is short enough
constexpr unsigned arguments_of_a_call = 6;
constexpr std::uint32_t most_errors = 4095;

[[noreturn]] void refuse(const std::string& why) {
    throw std::invalid_argument("system calls: " + why);
}

bool is_let_through(CallAction action) {
    return action == CallAction::allow() || action == CallAction::log();
}

// Not one that needs a tracer.
void require_known(CallAction action) {
    const std::uint32_t error = action.value & SECCOMP_RET_DATA;
    if ((action.value & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO) {
        if (error == 0 || error > most_errors) {
            refuse("there is no error " + std::to_string(error));
        }
        return;
    }
    for (const CallAction known : {CallAction::allow(), CallAction::kill_process(),
                                   CallAction::trap(), CallAction::log(), CallAction::notify()}) {
        if (action == known) {
            return;
        }
    }
    refuse("there is no such action: " + std::to_string(action.value));
}

// Kernels before 4.14 took what they did not know for "kill the thread".
void require_available(CallAction action) {
    const std::uint32_t kind = action.value & SECCOMP_RET_ACTION_FULL;
    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &kind) < 0) {
        throw std::system_error(errno, std::generic_category(),
                                errno == EOPNOTSUPP
                                    ? "seccomp: the kernel does not know this action (Linux 4.14)"
                                    : "seccomp");
    }
}

void require_sound(const ArgumentTest& test) {
    if (test.argument >= arguments_of_a_call) {
        refuse("a call has no argument " + std::to_string(test.argument) + ": they are 0 to 5");
    }
    if (test.comparison == ArgumentTest::Comparison::equal && (test.value & ~test.mask) != 0) {
        refuse("a condition never holds: the value has bits that are not looked at");
    }
}

std::vector<std::uint32_t> numbers_of(const CallRule& rule) {
    std::vector<std::uint32_t> numbers(rule.numbers.begin(), rule.numbers.end());
    for (const std::string& name : rule.calls) {
        const NamedCall call = find_call(name);
        if (call.number) {
            numbers.push_back(*call.number);
        } else if (!call.is_known && rule.unknown == UnknownCall::refuse) {
            refuse("there is no '" + name + "'; is '" + nearest_call(name) + "' meant?");
        }
    }
    return numbers;
}

void require_sound(const CallRule& rule) {
    require_known(rule.action);
    if (rule.calls.empty() && rule.numbers.empty()) {
        refuse("a rule names no call");
    }
    if (rule.when.size() > most_conditions) {
        refuse("a rule has more than 16 conditions");
    }
    for (const ArgumentTest& test : rule.when) {
        require_sound(test);
    }
}

void add(CallTable& table, const CallRule& rule) {
    constexpr std::uint32_t beyond_all_calls = 0x40000000;  // and the bit of x32
    for (const std::uint32_t number : numbers_of(rule)) {
        if (number >= beyond_all_calls) {
            refuse("there is no call " + std::to_string(number));
        }
        Choices& choices = table.calls[number];
        if (choices.empty() || !choices.back().when.empty()) {  // else all is decided
            choices.push_back({.when = rule.when, .action = rule.action});
        }
    }
}

enum class Leave { by_some_condition, always };

// Whether the filter lets this call through.
bool lets_through(const CallTable& table, std::uint32_t number, Leave leave) {
    const auto found = table.calls.find(number);
    for (const Choice& choice : found == table.calls.end() ? Choices() : found->second) {
        const bool is_let = is_let_through(choice.action);
        if (choice.when.empty() || is_let != (leave == Leave::always)) {
            return is_let;
        }
    }
    return is_let_through(table.otherwise);
}

void require_execution(const CallTable& table) {
    if (!lets_through(table, SYS_execve, Leave::by_some_condition)) {
        refuse("the filter refuses execve, so no program can run");
    }
}

// The listener is on its way by then, and nobody has it.
void require_way_for_listener(const CallTable& table) {
    if (!lets_through(table, SYS_execve, Leave::always)) {
        refuse("with a listener the filter must allow execve");
    }
    if (!lets_through(table, SYS_sendmsg, Leave::always)) {
        refuse("with a listener the filter must allow sendmsg, which brings it to the parent");
    }
}

// Before Linux 5.4 a program of x86-64 reached these calls of x32 without the bit that marks them.
void add_unmarked_calls_of_x32(CallTable& table) {
    for (std::uint32_t number = 512; number < 548; ++number) {
        table.calls[number] = {{.action = table.foreign}};
    }
}

CallTable table_of(const SystemCallFilter& filter) {
    require_known(filter.otherwise);
    require_known(filter.foreign);
    CallTable table{.otherwise = filter.otherwise, .foreign = filter.foreign};
    for (const CallRule& rule : filter.rules) {
        require_sound(rule);
        add(table, rule);
    }
    require_execution(table);
    if (native_architecture() == AUDIT_ARCH_X86_64) {
        add_unmarked_calls_of_x32(table);
    }
    return table;
}

void require_available(const SystemCallFilter& filter) {
    require_available(filter.otherwise);
    require_available(filter.foreign);
    for (const CallRule& rule : filter.rules) {
        require_available(rule.action);
    }
}

bool has_notification(const SystemCallFilter& filter) {
    const auto asks = [](const CallRule& rule) { return rule.action == CallAction::notify(); };
    return filter.otherwise == CallAction::notify() || filter.foreign == CallAction::notify() ||
           std::any_of(filter.rules.begin(), filter.rules.end(), asks);
}

using Install = std::error_code (*)(ChildSide&, const sock_fprog&) noexcept;

Step installing(RawSystemCallFilter filter, Install install) {
    if (filter.code.empty() || filter.code.size() > most_instructions) {
        refuse("a filter has 1 to 4096 instructions, and this one " +
               std::to_string(filter.code.size()));
    }
    return {.name = "system calls",
            .last = shared_memory([filter = std::move(filter), install](ChildSide& side) mutable {
                const sock_fprog program{static_cast<unsigned short>(filter.code.size()),
                                         filter.code.data()};
                return install(side, program);
            })};
}

}  // namespace

RawSystemCallFilter compile(const SystemCallFilter& filter) {
    RawSystemCallFilter raw{.code = code_of(table_of(filter), native_architecture())};
    if (raw.code.size() > most_instructions) {
        refuse("the filter has " + std::to_string(raw.code.size()) +
               " instructions, and the kernel takes 4096: have two");
    }
    return raw;
}

Step system_calls(const SystemCallFilter& filter) {
    RawSystemCallFilter raw = compile(filter);
    if (has_notification(filter)) {
        refuse(
            "nobody would answer a call of CallAction::notify(): give a function that takes the "
            "listener");
    }
    require_available(filter);
    return system_calls(std::move(raw));
}

Step system_calls(const SystemCallFilter& filter, std::function<void(SystemCallListener)> opened) {
    if (!opened) {
        refuse("a listener needs a function that takes it");
    }
    require_way_for_listener(table_of(filter));
    RawSystemCallFilter raw = compile(filter);
    require_available(filter);
    Step step = installing(std::move(raw), install_filter_with_listener);
    step.sends_descriptors = 1;
    step.after_execve = [opened = std::move(opened)](ParentSide& side) {
        opened({.process = side.child_pid(), .descriptor = side.take_descriptor()});
    };
    return step;
}

Step system_calls(RawSystemCallFilter filter) {
    return installing(std::move(filter), install_filter);
}

}  // namespace syncspawn::sandbox
