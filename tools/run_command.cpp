#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <system_error>

#include <syncspawn/launcher.hpp>

#include "attendance.hpp"
#include "commands.hpp"
#include "descendants.hpp"
#include "exit_codes.hpp"
#include "id_map.hpp"
#include "signals.hpp"

namespace syncspawn::tools {
namespace {

struct RunOptions {
    bool map_root = false;
    bool timeline = false;
    std::string wait_ready;
    SpawnOptions spawn{.program = "-"};
};

int code_of(const SpawnError& error) {
    if (error.stage() == Stage::execve && error.cause() == Cause::error) {
        return error.code() == std::errc::no_such_file_or_directory ? exit_not_found
                                                                    : exit_not_executable;
    }
    return exit_own_failure;
}

// A shell says 128 + n of both, but it ends a loop or a script only if its command died of ^C itself.
int end_as(const ExitStatus& status) {
    if (status.kind() == ExitStatus::Kind::killed) {
        return die_of(status.signal());
    }
    if (status.kind() == ExitStatus::Kind::unknown) {
        complain("the program has ended, but waitid(2) does not tell how");
    }
    return status.shell_code();
}

void print_timeline(const RunOptions& options, Timeline timeline) {
    if (options.timeline) {
        for (TimelineEvent& event : timeline) {
            event.what = printable(event.what);
        }
        std::fputs(draw(timeline).c_str(), stderr);
    }
}

int run(RunOptions& options) {
    const HeldSignals signals;
    const Descendants descendants;
    options.spawn.signals.mask = signals.callers_mask();
    options.spawn.setup.cancel_when_readable = signals.ending();
    if (options.map_root) {
        options.spawn.birth.namespaces = Namespaces::user;
    }
    SyncedSpawner spawner(options.spawn);
    if (options.map_root) {
        spawner.step(map_root_step());
    }
    SpawnError error;
    Process process = spawner.spawn(error);
    if (error) {
        if (error.program_may_have_run()) {
            descendants.kill_all();
        }
        print_timeline(options, error.timeline());
        signalfd_siginfo signal{};
        // The terminal's signal may have ended the child before it could cancel the launch here.
        if (HeldSignals::take(signals.ending(), signal)) {
            return die_of(static_cast<int>(signal.ssi_signo));
        }
        complain(error.what());
        return code_of(error);
    }
    print_timeline(options, process.timeline());
    if (attend(process, signals) == EndedBy::a_signal) {
        descendants.kill_all();
    }
    return end_as(process.wait());
}

void add_options(CLI::App& command, RunOptions& options) {
    Environment& environment = options.spawn.environment;
    command
        .add_flag("--map-root", options.map_root,
                  "New user namespace with root mapped to the caller, by the parent")
        ->disable_flag_override();
    command
        .add_flag("--wait-ready", options.wait_ready,
                  "Hand the barrier over; fail unless the program is ready [within TIMEOUT]")
        ->type_name("[=TIMEOUT]");
    command
        .add_option_function<std::string>(
            "--setup-timeout",
            [&](const std::string& text) {
                options.spawn.setup.within = std::chrono::nanoseconds(parse_duration(text));
            },
            "Fail unless the program is executed within TIMEOUT")
        ->type_name("TIMEOUT");
    command.add_option("--chdir", options.spawn.working_directory, "Enter DIR first")
        ->type_name("DIR")
        ->check([](const std::string& directory) {
            return directory.empty() ? std::string("must not be empty") : std::string();
        });
    command
        .add_option_function<std::vector<std::string>>(
            "--setenv",
            [&](const std::vector<std::string>& words) { environment.set(words[0], words[1]); },
            "Set an environment variable; NAME=VALUE will do")
        ->type_size(2)
        ->expected(1)
        ->allow_extra_args(false)  // nor is a value in brackets a list
        ->type_name("NAME VALUE")
        ->trigger_on_parse();
    command
        .add_option_function<std::string>(
            "--unsetenv", [&](const std::string& name) { environment.unset(name); },
            "Remove an environment variable")
        ->type_name("NAME")
        ->trigger_on_parse();
    command
        .add_flag_callback(
            "--clearenv", [&] { environment.clear(); },
            "Remove all environment variables set so far")
        ->trigger_on_parse();
    command.add_flag("--timeline", options.timeline, "Draw on stderr what each side did when")
        ->disable_flag_override();
}

bool is_duration(const std::string& text) {
    try {
        return parse_duration(text) >= 0;
    } catch (const CLI::ValidationError&) {
        return false;
    }
}

}  // namespace

void split_assignments(const CLI::App& run, std::vector<std::string>& words) {
    const std::string setenv = "--setenv";
    for (std::size_t at = 1; at < words.size() && words[at].starts_with("-");) {
        if (words[at].starts_with(setenv + "=")) {
            const std::string value = words[at].substr(setenv.size() + 1);
            words[at] = setenv;
            words.insert(words.begin() + static_cast<std::ptrdiff_t>(at) + 1, value);
        }
        if (words[at] == setenv && at + 1 < words.size()) {
            const std::string assignment = words[at + 1];
            const std::size_t sign = assignment.find('=');
            if (sign != std::string::npos && sign > 0) {
                words[at + 1] = assignment.substr(0, sign);
                words.insert(words.begin() + static_cast<std::ptrdiff_t>(at) + 2,
                             assignment.substr(sign + 1));
            }
        }
        const CLI::Option* option = run.get_option_no_throw(words[at]);
        at += 1 + (option != nullptr ? values_of(*option) : 0);
    }
}

void add_run(CLI::App& app, const Separated& separated, int& exit_code) {
    auto options = std::make_shared<RunOptions>();
    CLI::App* command =
        app.add_subcommand("run", "Launch PROGRAM behind a barrier and wait for its end");
    set_usage(*command, "Usage: syncspawn run [OPTIONS] [--] PROGRAM [ARG...]");
    command->prefix_command();
    command->footer(
        "Ends as PROGRAM does, by the same code or signal. 125 if the launch failed, 126 if "
        "PROGRAM\n"
        "cannot be executed, 127 if it is not there. TIMEOUT: 2, 1.5s, 200ms, 3m.");
    add_options(*command, *options);
    command->callback([=, &separated, &exit_code] {
        std::vector<std::string> words = command->remaining();
        if (options->wait_ready == "true" && !words.empty() && is_duration(words.front())) {
            throw CLI::ValidationError(
                "a TIMEOUT of --wait-ready is joined to it: say --wait-ready=" + words.front() +
                "; a program of that name is ./" + words.front());
        }
        // CLI11 takes an empty value for none.
        const auto empty_limits = [](const std::vector<std::string>& where) {
            return std::count(where.begin(), where.end(), "--wait-ready=");
        };
        if (empty_limits(separated.before) > empty_limits(words)) {
            throw CLI::ValidationError("--wait-ready= lacks its TIMEOUT: say 2, 1.5s, 200ms or 3m");
        }
        if (separated.is_there && !words.empty()) {
            words.emplace_back("--");  // behind the program's name it is an argument like any other
        }
        words.insert(words.end(), separated.words.begin(), separated.words.end());
        if (words.empty() || words.front().empty()) {
            throw CLI::RequiredError("PROGRAM");
        }
        options->spawn.program = words.front();
        options->spawn.arguments.assign(words.begin() + 1, words.end());
        if (!options->wait_ready.empty()) {
            options->spawn.readiness.within =
                options->wait_ready == "true"
                    ? std::chrono::nanoseconds::max()
                    : std::chrono::nanoseconds(parse_duration(options->wait_ready));
        }
        exit_code = run(*options);
    });
}

}  // namespace syncspawn::tools
