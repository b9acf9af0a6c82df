#include <string>
#include <vector>

#include "commands.hpp"
#include "messages.hpp"
#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {

int help(int argc, char** argv) {
    const CommandLine line{.command = "syncspawn help",
                           .synopsis = "[COMMAND]",
                           .summary = "Explain a command, or list them all.",
                           .options = {help_option}};
    const auto operands = parse(line, argc, argv);
    if (!operands) {
        return print(help_of(line));
    }
    const std::vector<std::string>& words = operands->behind_options();
    if (words.empty()) {
        return print_program_help();
    }
    if (words.size() > 1) {
        throw UsageError("one command at a time");
    }
    const Command& command = command_named(words.front());
    std::string name = command.name;
    std::string option = "--help";
    char* its_words[] = {name.data(), option.data(), nullptr};
    return perform(command, 2, its_words);
}

}  // namespace syncspawn::tools
