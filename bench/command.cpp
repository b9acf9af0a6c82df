// Whole commands: `syncspawn run` beside env(1), bubblewrap and a static program that makes the same calls.

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "machine.hpp"
#include "rounds.hpp"

namespace {

using syncspawn::bench::Ballast;
using syncspawn::bench::expect;
using syncspawn::bench::Options;
using syncspawn::bench::Plan;
using syncspawn::bench::Rounds;
using syncspawn::bench::Row;
using syncspawn::bench::Target;

constexpr double of_env = 1.5;
constexpr double of_bare = 1.3;
constexpr double faster_than_bubblewrap = 1.6;
constexpr double compatible_faster_than_bubblewrap = 1.5;
constexpr double most_mib = 8;

Plan plan_for(const Options& options) {
    return {.worker = "command",
            .methods = {"env", "run", "bare_all", "run_all", "syncspawn_bwrap_all", "bwrap_all"},
            .rounds = options.is_quick ? 60 : 250,
            .least_samples = options.is_quick ? 20U : 50U};
}

double mib_of(pid_t process) {
    std::ifstream status("/proc/" + std::to_string(process) + "/status");
    for (std::string key; status >> key;) {
        double kib = 0;
        if (key == "VmHWM:" && status >> kib) {
            return kib / 1024;
        }
    }
    return 0;
}

// The most memory that the command has had when the program runs: cat, which has given back a byte by then.
double memory_of(std::vector<std::string> words) {
    int input[2];
    int output[2];
    expect(pipe2(input, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0, "pipe2 failed");
    std::vector<char*> arguments;
    for (std::string& word : words) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t streams;
    posix_spawn_file_actions_init(&streams);
    posix_spawn_file_actions_adddup2(&streams, input[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&streams, output[1], STDOUT_FILENO);
    pid_t command = -1;
    expect(posix_spawn(&command, arguments[0], &streams, nullptr, arguments.data(), environ) == 0,
           arguments[0]);
    posix_spawn_file_actions_destroy(&streams);
    close(input[0]);
    close(output[1]);
    char byte = 'x';
    expect(write(input[1], &byte, 1) == 1 && read(output[0], &byte, 1) == 1, "cat does not run");
    const double mib = mib_of(command);
    close(input[1]);
    close(output[0]);
    int status = -1;
    expect(waitpid(command, &status, 0) == command && status == 0, "cat did not succeed");
    return mib;
}

std::vector<Target> targets_of(const Rounds& rounds) {
    using Bound = Target::Bound;
    const Ballast ballast;
    const auto ratio = [&](const std::string& of, const std::string& to) {
        return rounds.ratio({of, ballast}, {to, ballast});
    };
    return {
        {"run, of env", ratio("run", "env"), Bound::at_most, of_env},
        {"all unshared, of the bare calls", ratio("run_all", "bare_all"), Bound::at_most, of_bare},
        {"bubblewrap, of all unshared", ratio("bwrap_all", "run_all"), Bound::at_least,
         faster_than_bubblewrap},
        {"bubblewrap, of syncspawn-bwrap", ratio("bwrap_all", "syncspawn_bwrap_all"),
         Bound::at_least, compatible_faster_than_bubblewrap},
    };
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = syncspawn::bench::options_of(argc, argv);
    Rounds rounds(plan_for(options));
    rounds.measure({});
    std::vector<Row> rows = rounds.rows();
    std::vector<Target> targets = targets_of(rounds);
    const std::vector<std::pair<std::string, std::vector<std::string>>> commands{
        {"run", {SYNCSPAWN_PROGRAM, "run", "--", "cat"}},
        {"run_all",
         {SYNCSPAWN_PROGRAM, "run", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc",
          "--dev", "/dev", "--", "cat"}}};
    for (const auto& [name, words] : commands) {
        const double mib = memory_of(words);
        rows.push_back({name, "", "", "vm_hwm", "MiB", {1, mib, mib, mib}});
        targets.push_back(
            {"MiB that " + name + " has had at the most", mib, Target::Bound::at_most, most_mib});
    }
    return finish(options, "command", rows, targets);
}
