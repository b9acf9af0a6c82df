#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

#include <syncspawn/barrier.hpp>

#include "barrier/linux/time_left.hpp"
#include "commands.hpp"
#include "exit_codes.hpp"

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
    if (outcome != Outcome::failed) {
        (void)barrier.put_back();
    }
    return outcome;
}

const NamedOperation& operation_named(const std::string& name) {
    for (const NamedOperation& operation : operations) {
        if (operation.name == name) {
            return operation;
        }
    }
    std::string known;
    for (const NamedOperation& operation : operations) {
        known += (known.empty() ? "" : ", ") + std::string(operation.name);
    }
    throw CLI::ValidationError("there is no operation '" + name + "'; there are " + known);
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
    const std::string name = arguments[0];
    if (name.find('/') != std::string::npos) {
        execv(name.c_str(), arguments);
        return errno;
    }
    const char* variable = std::getenv("PATH");
    const std::string path = variable != nullptr ? variable : "/bin:/usr/bin";
    int error = ENOENT;
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find(':', begin), path.size());
        const std::string directory = path.substr(begin, end - begin);
        execv(((directory.empty() ? "." : directory) + "/" + name).c_str(), arguments);
        if (errno == EACCES) {
            error = EACCES;
        } else if (errno != ENOENT && errno != ENOTDIR && errno != ESTALE && errno != ENODEV &&
                   errno != ETIMEDOUT && errno != ENAMETOOLONG) {
            return errno;
        }
        begin = end + 1;
    }
    return error;
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

int run(const std::vector<const NamedOperation*>& chosen, const std::vector<std::string>& program,
        const std::optional<std::chrono::nanoseconds>& timeout) {
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
    if (timeout) {
        deadline = detail::after(*timeout);
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

}  // namespace

void add_barrier(CLI::App& app, const Separated& separated, int& exit_code) {
    struct Options {
        std::vector<std::string> names;
        std::optional<std::chrono::nanoseconds> timeout;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand(
        "barrier", "Speak on the barrier that this script was launched with, in order");
    set_usage(*command, "Usage: syncspawn barrier [--timeout TIMEOUT] OP... [-- PROGRAM [ARG...]]");
    command
        ->add_option("OP", options->names,
                     "place, sync, wait-next, sync-next, wait-abortion, abort, place-and-sync or "
                     "status")
        ->required();
    command
        ->add_option_function<std::string>(
            "--timeout",
            [=](const std::string& text) {
                options->timeout = std::chrono::nanoseconds(parse_duration(text));
            },
            "For all operations together")
        ->type_name("TIMEOUT");
    command->footer(
        "Exit status: 0 if all were reached; 1 if a side aborted or is gone; 124 after TIMEOUT; "
        "125\n"
        "without a barrier or for misuse. With PROGRAM: that is executed with the barrier.");
    command->callback([=, &separated, &exit_code] {
        std::vector<const NamedOperation*> chosen;
        for (const std::string& name : options->names) {
            chosen.push_back(&operation_named(name));
        }
        if (separated.is_there && separated.words.empty()) {
            throw CLI::RequiredError("PROGRAM behind --");
        }
        exit_code = run(chosen, separated.words, options->timeout);
    });
}

}  // namespace syncspawn::tools
