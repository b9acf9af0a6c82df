#include "checks.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace syncspawn::detail {
namespace {

void require(bool is_met, const std::string& rule) {
    if (!is_met) {
        throw std::invalid_argument("syncspawn: " + rule);
    }
}

// Of one step. As many of several steps fit into the buffer of a socket, unread: net.core.wmem_default has room for
// 270 messages.
constexpr int most_descriptors_sent = 64;

bool has_nul(std::string_view text) { return text.find('\0') != std::string::npos; }

bool is_negative(const std::optional<std::chrono::nanoseconds>& duration) {
    return duration && duration->count() < 0;
}

void check_part(const SpawnOptions& options, const ChildPart& part, const std::string& step) {
    require(
        !part.run || options.birth.namespaces == Namespaces::none ||
            part.rules != ChildRules::after_fork,
        "step '" + step +
            "': with namespaces at birth the child is not started by fork, so a child part must "
            "be ChildRules::async_signal_safe or shared_memory");
    require(
        !part.run || options.birth.method != StartMethod::shared_memory ||
            part.rules == ChildRules::shared_memory,
        "step '" + step +
            "': StartMethod::shared_memory takes child parts that are ChildRules::shared_memory");
}

using Kind = Stdio::Kind;

bool writes_a_file(Kind kind) {
    return kind == Kind::write_to || kind == Kind::append_to || kind == Kind::create;
}

bool names_a_file(Kind kind) { return kind == Kind::read_from || writes_a_file(kind); }

void check_stream(const Stdio& stream, const std::string& name) {
    require(stream.pipe_bytes() >= 0, "the pipe of the " + name + " must hold 1 byte to 1 GiB");
    const std::string_view path = stream.text_or_path();
    require(!names_a_file(stream.kind()) || (!path.empty() && !has_nul(path)),
            "the file of the " + name + " must have a name, without a NUL");
}

void check_output(const Stdio& stream, const std::string& name) {
    check_stream(stream, name);
    require(stream.kind() != Kind::text && stream.kind() != Kind::read_from,
            "Stdio::text() and read_from() are for the standard input, not for the " + name);
}

void check(const Streams& streams) {
    const Kind input = streams.input.kind();
    const Kind output = streams.output.kind();
    const Kind error = streams.error.kind();
    check_stream(streams.input, "standard input");
    check_output(streams.output, "standard output");
    check_output(streams.error, "standard error");
    require(!writes_a_file(input), "the standard input cannot be written: Stdio::read_from()");
    require(input != Kind::same_as_output && input != Kind::same_as_error,
            "the standard input cannot be the same as an output");
    require(output != Kind::same_as_output, "the standard output cannot be the same as itself");
    require(error != Kind::same_as_error, "the standard error cannot be the same as itself");
    require(output != Kind::same_as_error || error != Kind::same_as_output,
            "the standard output and error cannot both be the same as the other");
    require(output != Kind::write_to || error != Kind::write_to ||
                streams.output.text_or_path() != streams.error.text_or_path(),
            "the standard output and error would overwrite each other in one file: "
            "Stdio::same_as_output()");
}

void check(const Birth& birth) {
    const bool makes_pid_namespace = (birth.namespaces & Namespaces::pid) != Namespaces::none;
    require(
        birth.pid_namespace < 0 || birth.method != StartMethod::shared_memory,
        "`birth.pid_namespace` takes copied memory: who owns the namespace may trace the child");
    require(
        birth.pid_namespace < 0 || !makes_pid_namespace,
        "a child that is born into a pid namespace cannot have a new one: `birth.pid_namespace` "
        "excludes Namespaces::pid");
    require(birth.pid_namespace < 0 || birth.first_process == FirstProcess::program,
            "`birth.pid_namespace` has a first process already, so there is no place for a reaper");
    require(birth.first_process == FirstProcess::program || makes_pid_namespace,
            "a reaper takes a pid namespace: `birth.namespaces` with Namespaces::pid");
}

}  // namespace

void check(const SpawnOptions& options) {
    require(!options.program.empty(), "the program must have a name");
    require(!has_nul(options.program) && !has_nul(options.working_directory) &&
                !has_nul(options.argument_zero.value_or("")) &&
                std::none_of(options.arguments.begin(), options.arguments.end(), has_nul),
            "program, arguments and working directory must not contain a NUL");
    check(options.streams);
    std::vector<int> targets;
    for (const PassedDescriptor& passed : options.descriptors.passed) {
        require(passed.from >= 0, "a passed descriptor must have a number to come from");
        require(passed.to > 2, "a passed descriptor must become 3 or more: 0 to 2 are the streams");
        require(passed.to < 1 << 30, "descriptor " + std::to_string(passed.to) + " is too large");
        require(std::find(targets.begin(), targets.end(), passed.to) == targets.end(),
                "descriptor " + std::to_string(passed.to) + " cannot be filled twice");
        targets.push_back(passed.to);
    }
    for (const int number : options.descriptors.filled_by_parts) {
        require(number >= 0 && number < 1 << 30,
                "the parts cannot fill descriptor " + std::to_string(number));
    }
    require(!is_negative(options.setup.within) && !is_negative(options.readiness.within) &&
                options.setup.abort_grace.count() >= 0,
            "a duration must not be negative");
    check(options.ending.stop);
    check(options.birth);
}

void check(const StopActions& actions) {
    for (const StopAction& action : actions) {
        require(action.signal >= 0 && action.signal < NSIG,
                "there is no signal " + std::to_string(action.signal));
        require(!is_negative(action.within), "a duration must not be negative");
    }
}

void check(const SpawnOptions& options, const Step& step) {
    require(!step.name.empty(), "a step must have a name");
    require(step.before_start || step.child.run || step.parent || step.last.run ||
                step.after_execve || step.after_end,
            "step '" + step.name + "' has no part");
    require(!step.exec_failed || step.child.run || step.last.run,
            "step '" + step.name + "' is to hear of a failed execve but has no child part");
    require(!step.undo || step.before_start || step.parent || step.after_execve,
            "step '" + step.name + "' has an undo but no parent part to take back");
    require(step.sends_descriptors >= 0 && step.sends_descriptors <= most_descriptors_sent,
            "step '" + step.name + "' can send 0 to " + std::to_string(most_descriptors_sent) +
                " descriptors");
    require(step.sends_descriptors == 0 ||
                ((step.child.run || step.last.run) && (step.parent || step.after_execve)),
            "step '" + step.name + "' sends descriptors, which takes a part of each side");
    require(step.last.credentials == Credentials::stay,
            "step '" + step.name +
                "': a last part cannot change its credentials, since nothing sets the parent-death "
                "signal again");
    check_part(options, step.child, step.name);
    check_part(options, step.last, step.name);
}

void check(const SpawnOptions& /*options*/, const Rendezvous& rendezvous) {
    require(!rendezvous.name.empty(), "a rendezvous must have a name");
}

}  // namespace syncspawn::detail
