#include "completion.hpp"

#include <array>

#include "option_names.hpp"

namespace syncspawn::tools {
namespace {

constexpr std::string_view separator = "--";

// "[=TIMEOUT]" is one argument, and never a word of its own.
bool is_joined(const Option& option) { return option.argument.starts_with('['); }

std::vector<std::string> arguments_of(const Option& option) {
    std::string_view rest = option.argument;
    if (is_joined(option)) {
        rest = rest.substr(2, rest.size() - 3);
    }
    std::vector<std::string> arguments;
    while (!rest.empty()) {
        const std::string_view argument = rest.substr(0, rest.find(' '));
        arguments.emplace_back(argument);
        rest.remove_prefix(std::min(rest.size(), argument.size() + 1));
    }
    return arguments;
}

// "[OPTION]... [--] PROGRAM [ARG]...": PROGRAM.
std::string operand_in(std::string_view synopsis) {
    for (const std::string_view operand : {"OP...", "PROGRAM", "COMMAND"}) {
        if (synopsis.find(operand) != std::string_view::npos) {
            return std::string(operand.substr(0, operand.find('.')));
        }
    }
    return "";
}

class Reader {
public:
    Reader(const CommandLine& line, const std::vector<std::string>& words,
           const ValuesOf& values_of)
        : line_(line),
          words_(words),
          values_of_(values_of),
          names_(names_in(line.options)),
          last_(words.size() - 1) {}

    Completion read() {
        std::size_t at = 0;
        while (at < last_) {
            const std::string& word = words_[at];
            if (word == separator) {
                return behind_separator(at + 1);
            }
            if (word.size() < 2 || word.front() != '-') {
                if (line_.operand_place == OperandPlace::behind_options) {
                    return operands_from(at);
                }
                ++at;
                continue;
            }
            const Option* option = option_of(word);
            const std::size_t taken = option == nullptr ? 0 : words_behind(*option, at);
            if (at + taken >= last_) {
                return value(*option, last_ - at - 1 + (is_split(word) ? 0U : 1U), words_[last_],
                             "");
            }
            at += 1 + taken;
        }
        return begun_word();
    }

private:
    static std::string name_in(const std::string& word) { return word.substr(0, word.find('=')); }

    // Whether the value does not stand in the same word: "--chdir", "-C", but not "--chdir=/".
    static bool is_split(const std::string& word) {
        return word.starts_with("--") ? word.find('=') == std::string::npos : word.size() == 2;
    }

    const Option* option_of(const std::string& word) const {
        const std::string text = word.starts_with("--") ? name_in(word) : word.substr(0, 2);
        for (const OptionName& name : names_) {
            if (name.text == text) {
                return name.option;
            }
        }
        return nullptr;
    }

    // How many words behind this one are values of its option. NAME=VALUE is both of NAME VALUE.
    std::size_t words_behind(const Option& option, std::size_t at) const {
        const std::vector<std::string> arguments = arguments_of(option);
        if (arguments.empty() || is_joined(option)) {
            return 0;
        }
        const std::string& word = words_[at];
        const bool split = is_split(word);
        const std::string first = split ? words_[at + 1] : word.substr(word.find('=') + 1);
        const bool is_both = arguments.size() == 2 && arguments.back() == "VALUE" &&
                             first.find('=') != std::string::npos;
        return (is_both ? 1 : arguments.size()) - (split ? 0 : 1);
    }

    Completion begun_word() const {
        const std::string& word = words_[last_];
        const std::size_t sign = word.starts_with("--") ? word.find('=') : std::string::npos;
        if (sign != std::string::npos) {
            const Option* option = option_of(word);
            return option == nullptr
                       ? Completion{}
                       : value(*option, 0, word.substr(sign + 1), word.substr(0, sign + 1));
        }
        return word.starts_with('-') ? options(word) : operand(word);
    }

    Completion options(const std::string& begun) const {
        Completion completion;
        for (const OptionName& name : names_) {
            if (name.text.starts_with(begun)) {
                completion.words.push_back({name.text, std::string(name.option->help)});
            }
        }
        return completion;
    }

    Completion operand(const std::string& begun) const {
        if (!line_.commands.empty()) {
            Values commands;
            for (const Entry& command : line_.commands) {
                commands.words.push_back({std::string(command.name), std::string(command.summary)});
            }
            return chosen(commands, begun, "");
        }
        const std::string name = operand_in(line_.synopsis);
        return name.empty() ? Completion{} : chosen(values_of_(nullptr, name), begun, "");
    }

    Completion operands_from(std::size_t at) const {
        const bool is_program = operand_in(line_.synopsis) == "PROGRAM";
        return is_program ? Completion{.kind = Kind::program_line, .program = at} : Completion{};
    }

    // Only a program may stand there, or what could as well stand before.
    Completion behind_separator(std::size_t at) const {
        if (line_.synopsis.find("PROGRAM") == std::string_view::npos) {
            return at == last_ ? operand(words_[last_]) : Completion{};
        }
        return at == last_ ? Completion{.kind = Kind::programs}
                           : Completion{.kind = Kind::program_line, .program = at};
    }

    Completion value(const Option& option, std::size_t index, const std::string& begun,
                     const std::string& kept) const {
        const std::vector<std::string> arguments = arguments_of(option);
        // In NAME=VALUE the second one is begun.
        const bool is_both = arguments.size() == 2 && begun.find('=') != std::string::npos;
        return index >= arguments.size() || is_both
                   ? Completion{}
                   : chosen(values_of_(&option, arguments[index]), begun, kept);
    }

    // Of a list with commas, the last element is begun.
    static Completion chosen(const Values& values, std::string begun, std::string kept) {
        Completion completion{.kind = values.kind};
        const std::size_t comma = begun.rfind(',');
        if (values.kind == Kind::words && comma != std::string::npos) {
            kept += begun.substr(0, comma + 1);
            begun.erase(0, comma + 1);
        }
        completion.kept = std::move(kept);
        for (const Candidate& candidate : values.words) {
            if (candidate.word.starts_with(begun)) {
                completion.words.push_back(candidate);
            }
        }
        return completion;
    }

    const CommandLine& line_;
    const std::vector<std::string>& words_;
    const ValuesOf& values_of_;
    std::vector<OptionName> names_;
    std::size_t last_;
};

}  // namespace

Completion completion_of(const CommandLine& line, const std::vector<std::string>& words,
                         const ValuesOf& values_of) {
    return Reader(line, words, values_of).read();
}

std::string to_text(const Completion& completion) {
    constexpr std::array names{"words",     "files", "directories", "programs",
                               "variables", "users", "groups",      "program-line"};
    std::string text = names.at(static_cast<std::size_t>(completion.kind));
    text += '\n';
    text += completion.kind == Kind::program_line ? std::to_string(completion.program)
                                                  : completion.kept;
    text += '\n';
    for (const Candidate& candidate : completion.words) {
        text += candidate.word + '\t' + candidate.help + '\n';
    }
    return text;
}

}  // namespace syncspawn::tools
