#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace syncspawn::tools {

// The command line is wrong. `advice` says what to write instead; without one the user is sent to --help.
class UsageError : public std::runtime_error {
public:
    explicit UsageError(const std::string& what, std::string advice = {})
        : std::runtime_error(what), advice_(std::move(advice)) {}
    [[nodiscard]] const std::string& advice() const noexcept { return advice_; }

private:
    std::string advice_;
};

// There is no such option in the command's table.
class UnknownOption : public UsageError {
public:
    UnknownOption(std::string option, std::string advice)
        : UsageError("unknown option '" + option + "'", std::move(advice)),
          option_(std::move(option)) {}
    [[nodiscard]] const std::string& option() const noexcept { return option_; }

private:
    std::string option_;
};

// How an option was given.
struct Given {
    std::optional<std::string> value{};  // none for a flag, or where "[=VALUE]" was left out
    std::string second{};                // VALUE of "NAME VALUE"
    bool negated = false;                // --no-NAME
};

// One option is one row of its command's table; parsing, --help and "did you mean" all follow from it:
//
//     {"--chdir", "DIR", "Enter DIR first", "Program", [&](const Given& given) { ... }}
//
// The argument's form says what the parser accepts:
//
//     ""             a flag
//     "DIR"          --chdir DIR or --chdir=DIR
//     "[=TIMEOUT]"   --wait-ready or --wait-ready=TIMEOUT, but never a word of its own
//     "NAME VALUE"   --setenv NAME VALUE or --setenv NAME=VALUE
//
// A flag named "--[no-]pty" is also --no-pty. Names are written out in full: an abbreviation in a script
// would break once another option begins as it does.
struct Option {
    std::string_view names;  // "-h, --help"
    std::string_view argument;
    std::string_view help;
    std::string_view group;  // a heading in --help; empty: that of the row before
    // Called each time the option is given, in the order of the command line. May throw UsageError or
    // std::invalid_argument; the parser says which option it was about. Empty: the option asks for help.
    std::function<void(const Given&)> apply;
};

inline const Option help_option{"-h, --help", "", "Print this help", "", {}};

// Words that are not options: a program and its arguments end the options, operations may mix with them.
enum class OperandPlace { behind_options, among_options };

// A command, or whatever else --help lists before the options.
struct Entry {
    std::string_view name;
    std::string_view summary;
};

struct CommandLine {
    std::string_view command;   // "syncspawn run"
    std::string_view synopsis;  // "[OPTION]... PROGRAM"
    std::string_view summary;
    std::vector<Option> options;
    std::string notes{};            // closing paragraphs of --help
    std::vector<Entry> commands{};  // listed before the options
    OperandPlace operand_place = OperandPlace::behind_options;
};

struct Operands {
    std::vector<std::string> words{};
    std::optional<std::vector<std::string>> behind_separator{};  // there if "--" was

    // Where they stand behind the options, so that a "--" before them makes no difference.
    [[nodiscard]] const std::vector<std::string>& behind_options() const {
        return behind_separator ? *behind_separator : words;
    }
};

// Applies the options of argv[1] and on. Nothing is returned if one of them asks for help.
std::optional<Operands> parse(const CommandLine& line, int argc, char* const* argv);

// Whether an option of that name is in the table.
bool knows(const CommandLine& line, std::string_view option);

// The whole text of --help, within 80 columns.
std::string help_of(const CommandLine& line);

// The one of `known` that was probably meant: the only one that begins with the word, or the one
// that differs by few slips of the finger. Empty if there is none.
std::string_view nearest_to(std::string_view word, const std::vector<std::string_view>& known);

// "a, b and c"
std::string listed(const std::vector<std::string_view>& words, std::string_view last_link = "and");

}  // namespace syncspawn::tools
