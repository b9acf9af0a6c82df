#include <getopt.h>

#include <algorithm>
#include <iterator>

#include "command_line.hpp"
#include "option_names.hpp"

namespace syncspawn::tools {
namespace {

constexpr std::string_view separator = "--";
// What getopt_long(3) returns for a long name: this and its place among the names. Below are letters.
constexpr int first_long = 256;

constexpr std::string_view name_and_value = "NAME VALUE";

std::ptrdiff_t words_of_argument(const Option& option) {
    return 1 + std::count(option.argument.begin(), option.argument.end(), ' ');
}

int form_of_argument(const Option& option) {
    if (option.argument.empty()) {
        return no_argument;
    }
    return option.argument.starts_with('[') ? optional_argument : required_argument;
}

// "[=TIMEOUT]" without its brackets.
std::string argument_name(const Option& option) {
    const std::string_view argument = option.argument;
    return std::string(argument.starts_with('[') ? argument.substr(2, argument.size() - 3)
                                                 : argument);
}

class Parser {
public:
    Parser(const CommandLine& line, int argc, char* const* argv)
        : names_(names_in(line.options)),
          letters_(line.operand_place == OperandPlace::behind_options ? "+:" : "-:"),
          argc_(argc),
          argv_(argv) {
        int value = first_long;
        for (const OptionName& name : names_) {
            const int form = form_of_argument(*name.option);
            if (name.text.starts_with("--")) {
                long_names_.push_back({name.text.c_str() + 2, form, nullptr, value});
            } else {
                letters_ += name.text.substr(1);
                letters_ += form == no_argument ? "" : form == required_argument ? ":" : "::";
            }
            ++value;
        }
        long_names_.push_back({nullptr, 0, nullptr, 0});
    }

    std::optional<Operands> run() {
        opterr = 0;
        optind = 0;  // begin anew, in glibc and musl
        for (;;) {
            word_ = argv_[std::min(std::max(optind, 1), argc_)];
            const int found =
                getopt_long(argc_, argv_, letters_.c_str(), long_names_.data(), nullptr);
            if (found == -1) {
                break;
            }
            if (found == 1) {  // where operands may stand among the options
                operands_.words.emplace_back(optarg);
            } else if (!take(found)) {
                return std::nullopt;
            }
        }
        std::vector<std::string> rest(argv_ + std::min(optind, argc_), argv_ + argc_);
        // It cannot have been the value of an option: those are refused.
        if (optind > 1 && argv_[optind - 1] == separator) {
            operands_.behind_separator = std::move(rest);
        } else {
            operands_.words.insert(operands_.words.end(), rest.begin(), rest.end());
        }
        return std::move(operands_);
    }

private:
    // False if it asks for help.
    bool take(int found) {
        const OptionName& name = name_of(found == '?' || found == ':' ? optopt : found);
        if (found == '?') {
            throw UsageError(name.text + " takes no value");
        }
        if (found == ':' || (optarg == argv_[optind - 1] && optarg == separator)) {
            throw UsageError(name.text + " lacks its " + argument_name(*name.option));
        }
        if (!name.option->apply) {
            return false;
        }
        apply(name, given(name));
        return true;
    }

    const OptionName& name_of(int found) const {
        const std::string word(word_);
        // By what was written, for getopt_long(3) accepts abbreviations.
        const std::string text = found < first_long && !word.starts_with("--")
                                     ? std::string("-") + static_cast<char>(found)
                                     : word.substr(0, word.find('='));
        for (const OptionName& name : names_) {
            if (name.text == text) {
                return name;
            }
        }
        refuse(word.substr(0, word.find('=')));
    }

    [[noreturn]] void refuse(const std::string& word) const {
        std::vector<std::string_view> known;
        for (const OptionName& name : names_) {
            known.emplace_back(name.text);
        }
        const std::string meant(nearest_to(word, known));
        throw UnknownOption(word, meant.empty() ? "" : "did you mean '" + meant + "'?");
    }

    Given given(const OptionName& name) const {
        Given result{.negated = name.negated};
        if (optarg == nullptr) {
            return result;
        }
        const std::string value = optarg;
        if (value.empty() && form_of_argument(*name.option) == optional_argument) {
            throw UsageError(name.text + "= lacks its " + argument_name(*name.option));
        }
        result.words.push_back(value);
        const std::size_t sign = value.find('=');
        if (name.option->argument == name_and_value && sign != std::string::npos && sign > 0) {
            result.words = {value.substr(0, sign), value.substr(sign + 1)};
        }
        while (std::ssize(result.words) < words_of_argument(*name.option)) {
            result.words.push_back(next_word(name, result.words.size()));
        }
        result.value = result.words.front();
        result.second = result.words.size() > 1 ? result.words[1] : "";
        return result;
    }

    std::string next_word(const OptionName& name, std::size_t has) const {
        if (optind >= argc_ || argv_[optind] == separator) {
            std::string missing(argument_name(*name.option));
            for (; has > 0; --has) {
                missing.erase(0, missing.find(' ') + 1);
            }
            throw UsageError(name.text + " lacks its " + missing);
        }
        return argv_[optind++];
    }

    static void apply(const OptionName& name, const Given& given) {
        try {
            name.option->apply(given);
        } catch (const UsageError& error) {
            throw UsageError(about(name, error.what()), error.advice());
        } catch (const std::invalid_argument& error) {
            throw UsageError(about(name, error.what()));
        }
    }

    // The text names the option, if only once.
    static std::string about(const OptionName& name, const std::string& text) {
        return text.starts_with(name.text + " ") ? text : name.text + ": " + text;
    }

    std::vector<OptionName> names_;
    std::vector<::option> long_names_;
    std::string letters_;
    int argc_;
    char* const* argv_;
    const char* word_ = nullptr;  // the one that getopt_long(3) looks at
    Operands operands_;
};

}  // namespace

std::optional<Operands> parse(const CommandLine& line, int argc, char* const* argv) {
    return Parser(line, argc, argv).run();
}

bool knows(const CommandLine& line, std::string_view option) {
    const std::vector<OptionName> names = names_in(line.options);
    return std::any_of(names.begin(), names.end(),
                       [&](const OptionName& name) { return name.text == option; });
}

}  // namespace syncspawn::tools
