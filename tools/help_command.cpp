#include <string>
#include <vector>

#include "commands.hpp"
#include "messages.hpp"
#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {

void describe_help(const LineUser& use) {
    use({.command = "syncspawn help",
         .synopsis = "[COMMAND]",
         .summary = "Explain a command, or list them all.",
         .options = {help_option}});
}

int print_help(void (*describe)(const LineUser& use)) {
    std::string text;
    describe([&](const CommandLine& line) { text = help_of(line); });
    return print(text);
}

int help(int argc, char** argv) {
    std::optional<Operands> operands;
    describe_help([&](const CommandLine& line) { operands = parse(line, argc, argv); });
    if (!operands) {
        return print_help(describe_help);
    }
    const std::vector<std::string>& words = operands->behind_options();
    if (words.size() > 1) {
        throw UsageError("one command at a time");
    }
    return print_help(words.empty() ? describe_program : command_named(words.front()).describe);
}

}  // namespace syncspawn::tools
