// `syncspawn complete`: for the completions of the shells, which are in completion/. No user types it, so no
// list of commands has it.

#include <string>
#include <vector>

#include "commands.hpp"
#include "messages.hpp"
#include "tools/command_line/completion.hpp"
#include "tools/complete/values.hpp"

namespace syncspawn::tools {
namespace {

std::string answer_for(const Command& command, const std::vector<std::string>& words) {
    Completion completion;
    command.describe([&](const CommandLine& line) {
        completion = completion_of(line, {words.begin() + 1, words.end()}, values_of);
    });
    completion.program += 1;
    return to_text(completion);
}

}  // namespace

// The words are those behind `syncspawn` up to the cursor. The last one is begun, and may be empty.
int complete(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() > 1) {
        const Command* command = find_command(words.front());
        return command == nullptr ? 0 : print(answer_for(*command, words));
    }
    std::string text;
    describe_program([&](const CommandLine& line) {
        text = to_text(
            completion_of(line, words.empty() ? std::vector<std::string>{""} : words, values_of));
    });
    return print(text);
}

}  // namespace syncspawn::tools
