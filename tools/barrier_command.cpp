#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <system_error>

#include <syncspawn/barrier.hpp>

#include "barrier/linux/time_left.hpp"
#include "commands.hpp"
#include "exit_codes.hpp"
#include "launcher/child/exec_search.hpp"
#include "launcher/plan/program_paths.hpp"
#include "messages.hpp"
#include "tools/command_line/command_line.hpp"
#include "tools/command_line/duration.hpp"

namespace syncspawn::tools {
namespace {

struct NamedOperation {
    std::string_view name;
    Outcome (*perform)(Barrier&, const std::optional<Deadline>&);
};

template <auto Plain, auto Until>
Outcome timed(Barrier& barrier, const std::optional<Deadline>& deadline) {
    return deadline ? (barrier.*Until)(*deadline) : (barrier.*Plain)();
}

Outcome abort(Barrier& barrier, const std::optional<Deadline>& /*deadline*/) {
    return barrier.abort();
}

Outcome print_status(Barrier& barrier, const std::optional<Deadline>& /*deadline*/) {
    const Outcome now = barrier.poll_now();
    if (now == Outcome::failed) {
        return now;
    }
    const BarrierStatus status = barrier.status();
    (void)barrier.put_back();  // now, for a reader who has gone ends this process by SIGPIPE
    const char* state = now == Outcome::timed_out ? "places_owed"
                        : now == Outcome::reached ? "in_step"
                                                  : to_string(now);
    std::printf("role=%s\nstate=%s\nbalance=%lld\nseen=%lld\n",
                barrier.native()->role == SYNCSPAWN_PARENT ? "parent" : "child", state,
                static_cast<long long>(status.balance), static_cast<long long>(status.seen));
    return std::fflush(stdout) == 0 ? Outcome::reached : Outcome::failed;
}

constexpr NamedOperation operations[] = {
    {"place", timed<&Barrier::place, &Barrier::place_until>},
    {"sync", timed<&Barrier::sync, &Barrier::sync_until>},
    {"wait-next", timed<&Barrier::wait_next, &Barrier::wait_next_until>},
    {"sync-next", timed<&Barrier::sync_next, &Barrier::sync_next_until>},
    {"wait-abortion", timed<&Barrier::wait_abortion, &Barrier::wait_abortion_until>},
    {"abort", abort},
    {"place-and-sync", timed<&Barrier::place_and_sync, &Barrier::place_and_sync_until>},
    {"status", print_status},
};

// What is read and not put back dies with this process.
Outcome perform(const NamedOperation& operation, Barrier& barrier,
                const std::optional<Deadline>& deadline) {
    const Outcome outcome = operation.perform(barrier, deadline);
    (void)barrier.put_back();  // also where what failed is not the barrier, but its output
    return outcome;
}

const NamedOperation& operation_named(const std::string& name) {
    for (const NamedOperation& operation : operations) {
        if (operation.name == name) {
            return operation;
        }
    }
    const std::string meant(nearest_to(name, names_of_operations()));
    throw UsageError("unknown operation '" + name + "'",
                     meant.empty() ? "there are " + listed(names_of_operations())
                                   : "did you mean '" + meant + "'?");
}

// The balance does not outlive the call, so a sync that begins one would wait for nothing and tell
// the script that the other side is there.
bool waits_for_nothing(const std::vector<const NamedOperation*>& chosen, const Barrier& barrier) {
    for (const NamedOperation* operation : chosen) {
        if (operation->name == "sync" || operation->name == "sync-next") {
            return barrier.status().balance <= 0;
        }
        if (operation->name != "status") {
            return false;
        }
    }
    return false;
}

int report(std::string_view operation, Outcome outcome, const Barrier& barrier) {
    std::string what;
    switch (outcome) {
        case Outcome::reached:
            return 0;
        case Outcome::aborted_here:
            what = "this side had aborted";
            break;
        case Outcome::aborted_there:
            what = "the other side aborted";
            break;
        case Outcome::peer_gone:
            what = "the other side is gone";
            break;
        case Outcome::timed_out:
            complain("barrier " + std::string(operation) + ": not within the timeout" +
                     (barrier.status().balance > 0
                          ? ": the other side has not placed as often as this one (a launcher that "
                            "waits for readiness places once, for the first that says it)"
                          : ""));
            return exit_timed_out;
        case Outcome::failed:
            complain(
                "barrier " + std::string(operation) + ": " +
                (barrier.error() ? barrier.error().message() : "cannot write to standard output"));
            return exit_own_failure;
    }
    complain("barrier " + std::string(operation) + ": " + what);
    return exit_aborted;
}

// As execvp(3), but what is neither a program nor a script is not given to sh. Returns errno.
int execute_from_path(char* const* arguments) {
    const char* path = std::getenv("PATH");
    const std::vector<std::string> texts = detail::program_paths(
        arguments[0], path != nullptr ? std::optional<std::string>(path) : std::nullopt);
    std::vector<const char*> paths;
    for (const std::string& text : texts) {
        paths.push_back(text.c_str());
    }
    paths.push_back(nullptr);
    return detail::execute_first_of({paths.data(), 1}, arguments, environ).error;
}

int execute(Barrier& barrier, const std::vector<std::string>& program) {
    static BarrierEnvironment environment;
    if (export_barrier(barrier, environment) != Outcome::reached) {
        complain("barrier: cannot hand it on: " + barrier.error().message());
        return exit_own_failure;
    }
    for (char* entry :
         {environment.local_fd, environment.remote_fd, environment.pipe_fd, environment.state}) {
        putenv(entry);
    }
    std::vector<char*> arguments;
    for (const std::string& word : program) {
        arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    const int error = execute_from_path(arguments.data());
    // Before the abort: whoever sees that may end this process at once.
    complain("execve '" + program[0] + "': " + std::generic_category().message(error) +
             (error == ENOEXEC ? " (a script needs a first line, as #!/bin/sh)" : ""));
    (void)barrier.abort();
    return error == ENOENT ? exit_not_found : exit_not_executable;
}

struct BarrierSettings {
    std::vector<const NamedOperation*> operations{};
    std::vector<std::string> program{};
    std::optional<std::chrono::nanoseconds> timeout{};
};

int speak(const BarrierSettings& settings) {
    const std::vector<const NamedOperation*>& chosen = settings.operations;
    const std::vector<std::string>& program = settings.program;
    // With a program to execute this process is to become the next holder, so it must be the holder
    // now; without, it acts for the script that called it.
    AttachError error;
    Barrier barrier =
        attach(error, program.empty() ? AttachFor::calling_script : AttachFor::this_process);
    if (error) {
        const bool lacks_exec = !program.empty() && error.problem() == AttachProblem::other_process;
        complain(
            std::string(error.what()) +
            (lacks_exec ? " (to hand the barrier on: exec syncspawn barrier ... -- PROGRAM)" : ""));
        return exit_own_failure;
    }
    if (waits_for_nothing(chosen, barrier)) {
        complain(
            "barrier: nothing was placed here, so there is nothing to wait for: "
            "say 'place sync', 'place-and-sync' or 'wait-next'");
        return exit_own_failure;
    }
    std::optional<Deadline> deadline;
    if (settings.timeout) {
        deadline = detail::after(*settings.timeout);
    }
    int code = 0;
    for (auto operation = chosen.begin(); code == 0 && operation != chosen.end(); ++operation) {
        const Outcome outcome = perform(**operation, barrier, deadline);
        code = report((*operation)->name, outcome, barrier);
    }
    if (code == 0 && !program.empty()) {
        code = execute(barrier, program);
    }
    return code;
}

CommandLine barrier_line(BarrierSettings& settings) {
    return {
        .command = "syncspawn barrier",
        .synopsis = "[--timeout DURATION] OP... [-- PROGRAM [ARG]...]",
        .summary =
            "Speak on the barrier that the calling script was launched with: do each OP "
            "in order. Then execute PROGRAM, if there is one, and hand the barrier on to it.",
        .options = {{"--timeout", "DURATION", "Limit the time for all operations together", "",
                     [&](const Given& given) { settings.timeout = parse_duration(*given.value); }},
                    help_option},
        .notes = "An OP is " + listed(names_of_operations(), "or") +
                 ".\n"
                 "A DURATION is 2, 1.5s, 200ms, 3m, 1h30m or 2d.\n"
                 "Exits with 0 if every OP succeeded, 1 if a side has aborted or is gone, "
                 "124 after DURATION, and 125 without a barrier or if the command line is wrong.",
        .operand_place = OperandPlace::among_options};
}

}  // namespace

std::vector<std::string_view> names_of_operations() {
    std::vector<std::string_view> names;
    for (const NamedOperation& operation : operations) {
        names.push_back(operation.name);
    }
    return names;
}

void describe_barrier(const LineUser& use) {
    BarrierSettings unused;
    use(barrier_line(unused));
}

int barrier(int argc, char** argv) {
    BarrierSettings settings;
    const CommandLine line = barrier_line(settings);
    const auto operands = parse(line, argc, argv);
    if (!operands) {
        return print(help_of(line));
    }
    for (const std::string& name : operands->words) {
        settings.operations.push_back(&operation_named(name));
    }
    if (settings.operations.empty()) {
        throw UsageError("OP is required");
    }
    settings.program = operands->behind_separator.value_or(std::vector<std::string>());
    if (operands->behind_separator && settings.program.empty()) {
        throw UsageError("PROGRAM behind -- is required");
    }
    return speak(settings);
}

}  // namespace syncspawn::tools
