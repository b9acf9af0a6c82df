// The program: finds the command in the table and runs it.

#include <malloc.h>

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "exit_codes.hpp"
#include "messages.hpp"
#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {
namespace {

constexpr Command commands[] = {
    {"run", "Launch a program behind a barrier and wait for its end", run, describe_run},
    {"barrier", "Speak on the barrier that the calling script was launched with", barrier,
     describe_barrier},
    {"doctor", "Find out what this machine allows, and whether a policy holds here", doctor,
     describe_doctor},
    {"help", "Explain a command", help, describe_help},
};

std::vector<std::string_view> names_of_commands() {
    std::vector<std::string_view> names;
    for (const Command& command : commands) {
        names.emplace_back(command.name);
    }
    return names;
}

CommandLine program_line(bool& wants_version) {
    CommandLine line{
        .command = "syncspawn",
        .synopsis = "COMMAND [ARGUMENT]...",
        .summary =
            "Start a program on Linux and let parent and child set things up together before "
            "it runs.",
        .options = {{"-V, --version", "", "Print the version", "",
                     [&](const Given&) { wants_version = true; }},
                    help_option},
        .notes =
            "'syncspawn help COMMAND' explains a command. Manual pages: syncspawn(1), "
            "syncspawn-run(1), syncspawn-barrier(1), syncspawn-doctor(1), syncspawn-bwrap(1), "
            "syncspawn-policy(5), syncspawn-environment(7)."};
    for (const Command& command : commands) {
        line.commands.push_back({command.name, command.summary});
    }
    return line;
}

// "syncspawn --timeline run ...": an option of the command that comes behind it.
[[noreturn]] void say_where_it_belongs(const UnknownOption& unknown) {
    std::vector<std::string_view> owners;
    for (const Command& command : commands) {
        bool is_its_own = false;
        command.describe(
            [&](const CommandLine& line) { is_its_own = knows(line, unknown.option()); });
        if (is_its_own) {
            owners.emplace_back(command.name);
        }
    }
    if (owners.empty()) {
        throw UnknownOption(unknown);
    }
    throw UsageError(
        "the option '" + unknown.option() + "' belongs behind " + listed(owners, "or"),
        "say: syncspawn " + std::string(owners.front()) + " " + unknown.option() + " ...");
}

std::optional<Operands> parse_program_line(const CommandLine& line, int argc, char** argv) {
    try {
        return parse(line, argc, argv);
    } catch (const UnknownOption& unknown) {
        say_where_it_belongs(unknown);
    }
}

int complain_of_usage(const UsageError& error, const std::string& speaker) {
    complain(error.what() +
                 (error.advice().empty() ? " (see " + speaker + " --help)" : "; " + error.advice()),
             speaker);
    return exit_own_failure;
}

int run_program(int argc, char** argv) {
    bool wants_version = false;
    const auto operands = parse_program_line(program_line(wants_version), argc, argv);
    if (!operands) {
        return print_help(describe_program);
    }
    if (wants_version) {
        return print("syncspawn " SYNCSPAWN_VERSION "\n");
    }
    const std::vector<std::string>& words = operands->behind_options();
    if (words.empty() || words.front().empty()) {
        throw UsageError("a command is required: " + listed(names_of_commands(), "or"));
    }
    const int count = static_cast<int>(words.size());
    if (words.front() == "complete") {
        return complete(count, argv + argc - count);
    }
    return perform(command_named(words.front()), count, argv + argc - count);
}

}  // namespace

const Command* find_command(std::string_view name) {
    for (const Command& command : commands) {
        if (command.name == name) {
            return &command;
        }
    }
    return nullptr;
}

const Command& command_named(std::string_view name) {
    if (const Command* command = find_command(name)) {
        return *command;
    }
    const std::string meant(nearest_to(name, names_of_commands()));
    throw UsageError("unknown command '" + std::string(name) + "'",
                     meant.empty() ? "there are " + listed(names_of_commands())
                                   : "did you mean '" + meant + "'?");
}

int perform(const Command& command, int argc, char** argv) {
    try {
        return command.run(argc, argv);
    } catch (const UsageError& error) {
        return complain_of_usage(error, std::string("syncspawn ") + command.name);
    }
}

void describe_program(const LineUser& use) {
    bool ignored = false;
    use(program_line(ignored));
}

}  // namespace syncspawn::tools

int main(int argc, char** argv) {
    namespace tools = syncspawn::tools;
    // The threads of a launch hardly allocate: an arena for each would cost more than it brings.
    mallopt(M_ARENA_MAX, 1);
    try {
        return tools::run_program(argc, argv);
    } catch (const tools::UsageError& error) {
        return tools::complain_of_usage(error, "syncspawn");
    } catch (const std::exception& error) {
        tools::complain(error.what());
        return tools::exit_own_failure;
    }
}
