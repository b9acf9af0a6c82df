#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <system_error>

#include <syncspawn/launcher.hpp>

#include "commands.hpp"
#include "descendants.hpp"
#include "exit_codes.hpp"
#include "id_map.hpp"

namespace syncspawn::tools {
namespace {

struct RunOptions {
    bool map_root = false;
    bool timeline = false;
    std::string wait_ready;
    SpawnOptions spawn{.program = "-"};
};

// The signals that end a launch, and those that are merely passed on.
constexpr std::array ending_signals{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
constexpr std::array passed_signals{SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH};

class BlockedSignals {
public:
    BlockedSignals() {
        signal(SIGCHLD, SIG_DFL);  // ignored, it would take the statuses away
        sigset_t ending;
        sigset_t others;
        sigemptyset(&ending);
        sigemptyset(&others);
        sigaddset(&others, SIGCHLD);
        for (const int signal : ending_signals) {
            add_unless_ignored(ending, signal);
        }
        for (const int signal : passed_signals) {
            add_unless_ignored(others, signal);
        }
        sigset_t both;
        sigorset(&both, &ending, &others);
        // A broken stderr must not end the one who waits for the program.
        sigaddset(&both, SIGPIPE);
        sigprocmask(SIG_BLOCK, &both, &callers_mask_);
        ending_ = UniqueFd(signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK));
        others_ = UniqueFd(signalfd(-1, &others, SFD_CLOEXEC | SFD_NONBLOCK));
        if (!ending_ || !others_) {
            throw std::system_error(errno, std::generic_category(), "signalfd");
        }
    }
    [[nodiscard]] const sigset_t& callers_mask() const noexcept { return callers_mask_; }
    [[nodiscard]] int ending() const noexcept { return ending_.get(); }
    [[nodiscard]] int others() const noexcept { return others_.get(); }

    // False if none is pending.
    static bool take(int fd, signalfd_siginfo& signal) {
        return read(fd, &signal, sizeof signal) == sizeof signal;
    }

private:
    // nohup(1) and background jobs of a shell ignore some: then they concern nobody here.
    static void add_unless_ignored(sigset_t& set, int signal) {
        struct sigaction action {};
        sigaction(signal, nullptr, &action);
        if (action.sa_handler != SIG_IGN) {
            sigaddset(&set, signal);
        }
    }

    sigset_t callers_mask_{};
    UniqueFd ending_;
    UniqueFd others_;
};

// The terminal sends these to the whole foreground group: who is in ours has them already. A hang-up
// goes to the leader of the session, and to the group only once that has ended: better twice than not.
bool has_it_already(const signalfd_siginfo& signal, pid_t program) {
    constexpr std::array of_the_terminal{SIGINT, SIGQUIT, SIGWINCH};
    return signal.ssi_code == SI_KERNEL && getpgid(program) == getpgrp() &&
           std::find(of_the_terminal.begin(), of_the_terminal.end(),
                     static_cast<int>(signal.ssi_signo)) != of_the_terminal.end();
}

// Passes signals on and reaps orphans until the program has ended. Returns whether one of the
// signals that end a launch came.
bool attend(Process& process, const BlockedSignals& signals, const Descendants& descendants) {
    bool was_told_to_end = false;
    for (bool has_ended = false; !has_ended;) {
        std::array<pollfd, 3> watched{{{signals.ending(), POLLIN, 0},
                                       {signals.others(), POLLIN, 0},
                                       {process.pidfd(), POLLIN, 0}}};
        // Without pidfds SIGCHLD tells of the end.
        if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) {
            throw std::system_error(errno, std::generic_category(), "poll");
        }
        has_ended = process.try_wait().has_value();
        signalfd_siginfo signal{};
        while (BlockedSignals::take(signals.ending(), signal) ||
               BlockedSignals::take(signals.others(), signal)) {
            const int number = static_cast<int>(signal.ssi_signo);
            if (number == SIGCHLD) {
                descendants.reap_orphans(process.pid());
                continue;
            }
            was_told_to_end = was_told_to_end ||
                              std::find(ending_signals.begin(), ending_signals.end(), number) !=
                                  ending_signals.end();
            if (!has_ended && !has_it_already(signal, process.pid())) {
                std::error_code refused;  // it may have become another user
                process.signal(number, refused);
            }
        }
    }
    return was_told_to_end;
}

int code_of(const SpawnError& error) {
    if (error.stage() == Stage::execve && error.cause() == Cause::error) {
        return error.code() == std::errc::no_such_file_or_directory ? exit_not_found
                                                                    : exit_not_executable;
    }
    return exit_own_failure;
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
    const BlockedSignals signals;
    const Descendants descendants;
    options.spawn.signal_mask = signals.callers_mask();
    options.spawn.cancel_when_readable = signals.ending();
    if (options.map_root) {
        options.spawn.namespaces = Namespaces::user;
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
        if (BlockedSignals::take(signals.ending(), signal)) {
            return exit_signal_base + static_cast<int>(signal.ssi_signo);
        }
        complain(error.what());
        return code_of(error);
    }
    print_timeline(options, process.timeline());
    const bool was_told_to_end = attend(process, signals, descendants);
    if (was_told_to_end) {
        descendants.kill_all();
    }
    return process.wait().shell_code();
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
                options.spawn.setup_timeout = std::chrono::nanoseconds(parse_duration(text));
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
            "Set an environment variable")
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

}  // namespace

void add_run(CLI::App& app, const Separated& separated, int& exit_code) {
    auto options = std::make_shared<RunOptions>();
    CLI::App* command =
        app.add_subcommand("run", "Launch PROGRAM behind a barrier and wait for its end");
    set_usage(*command, "Usage: syncspawn run [OPTIONS] [--] PROGRAM [ARG...]");
    command->prefix_command();
    command->footer(
        "Exit status: that of PROGRAM; 128+n if signal n ended it; 125 if the launch failed, 126 "
        "if\n"
        "PROGRAM cannot be executed, 127 if it is not there. TIMEOUT: 2, 1.5s, 200ms, 3m.");
    add_options(*command, *options);
    command->callback([=, &separated, &exit_code] {
        std::vector<std::string> words = command->remaining();
        if (!words.empty() && words.front().starts_with("-") && words.front() != "-") {
            throw CLI::ExtrasError({words.front()});
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
            options->spawn.ready_within =
                options->wait_ready == "true"
                    ? std::chrono::nanoseconds::max()
                    : std::chrono::nanoseconds(parse_duration(options->wait_ready));
        }
        exit_code = run(*options);
    });
}

}  // namespace syncspawn::tools
