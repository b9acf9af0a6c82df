#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>

#include "commands.hpp"
#include "exit_codes.hpp"

namespace syncspawn::tools {

long long parse_duration(const std::string& text) {
    struct Unit {
        const char* name;
        double nanoseconds;
    };
    constexpr Unit units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"m", 60e9}};
    double number = -1;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
    for (const Unit& unit : units) {
        const double nanoseconds = number * unit.nanoseconds;
        if (error != std::errc() || std::string(rest, end) != unit.name || !std::isfinite(number) ||
            number < 0) {
            continue;
        }
        if (nanoseconds >= 9e18) {
            throw CLI::ValidationError("'" + text + "' is too long: less than 9000000000 seconds");
        }
        return std::llround(nanoseconds);
    }
    throw CLI::ValidationError("'" + text + "' is not a duration: say 2, 1.5s, 200ms or 3m");
}

std::size_t values_of(const CLI::Option& option) {
    return static_cast<std::size_t>(option.get_items_expected_min());
}

void set_usage(CLI::App& command, const std::string& usage) {
    class WithUsage : public CLI::Formatter {
    public:
        explicit WithUsage(std::string usage) : usage_(std::move(usage)) {}
        std::string make_usage(const CLI::App* /*app*/, std::string /*name*/) const override {
            return usage_ + "\n";
        }

    private:
        std::string usage_;
    };
    command.formatter(std::make_shared<WithUsage>(usage));
}

std::string printable(const std::string& text) {
    std::string line;
    for (const char character : text) {
        const auto code = static_cast<unsigned char>(character);
        if (code < ' ' || code == 0x7f) {
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, "\\x%02x", code);
            line += escaped;
        } else {
            line += character;
        }
    }
    return line;
}

void complain(const std::string& message) {
    std::fprintf(stderr, "syncspawn: %s\n", printable(message).c_str());
}

namespace {

// Between the first `before` and the next `behind` of the text; empty if it is not so.
std::string between(const std::string& text, const std::string& before, const std::string& behind) {
    const std::size_t begin = text.find(before);
    const std::size_t end = text.find(behind, begin);
    return begin == std::string::npos || end == std::string::npos
               ? ""
               : text.substr(begin + before.size(), end - begin - before.size());
}

// What CLI11 says in its own terms, in those of the command line.
std::string in_plain_words(const CLI::ParseError& error) {
    std::string text = error.what();
    if (const std::string value = between(text, "required ", " missing"); !value.empty()) {
        return text.substr(0, text.find(':')) + " lacks its " + value;
    }
    if (const std::size_t flag = text.find(" was given a disallowed flag override");
        flag != std::string::npos) {
        return "--" + text.substr(0, flag) + " takes no value";
    }
    return text;
}

// Without a command CLI11 would ask for one, whatever else is wrong. Empty: nothing is.
std::string what_is_wrong_with_the_command(const CLI::App& app, const std::string& word) {
    if (word.empty() || word == "--") {
        return "a command is required: run or barrier (see syncspawn --help)";
    }
    if (word.starts_with("-")) {
        return app.get_option_no_throw(word) != nullptr
                   ? ""
                   : "there is no option '" + word + "' (see syncspawn --help)";
    }
    const auto is_it = [&](const CLI::App* command) { return command->get_name() == word; };
    return !app.get_subcommands(is_it).empty()
               ? ""
               : "there is no command '" + word + "'; there are run and barrier";
}

// The first of the words behind the command's name that looks like an option and is none of its own.
// CLI11 may complain of what else is missing first.
std::string unknown_option(const CLI::App& command, const std::vector<std::string>& words) {
    for (std::size_t at = 1; at < words.size(); ++at) {
        const std::size_t sign = words[at].find('=');
        std::string name = words[at].substr(0, sign);
        if (!name.starts_with("-") || name == "-") {
            if (command.get_prefix_command()) {
                break;  // from the program on nothing is ours
            }
            continue;
        }
        const CLI::Option* option = command.get_option_no_throw(name);
        if (option == nullptr) {
            return name;
        }
        at += sign == std::string::npos ? values_of(*option) : 0;
    }
    return {};
}

int run(int argc, char** argv) {
    std::vector<std::string> arguments(argv + 1, argv + argc);
    const auto separator = std::find(arguments.begin(), arguments.end(), "--");
    Separated separated;
    if (separator != arguments.end()) {
        separated = {true, {}, {separator + 1, arguments.end()}};
        arguments.erase(separator, arguments.end());
    }
    separated.before = arguments;
    CLI::App app("Launches programs whose two sides set up in lock-step, before and beyond execve.",
                 "syncspawn");
    app.set_version_flag("-V,--version", "syncspawn " SYNCSPAWN_VERSION);
    app.require_subcommand(1);
    app.footer("See syncspawn(1), syncspawn-run(1) and syncspawn-barrier(1).");
    int exit_code = 0;
    add_run(app, separated, exit_code);
    add_barrier(app, separated, exit_code);
    set_usage(app, "Usage: syncspawn run|barrier ...");
    const std::string first = arguments.empty() ? "" : arguments.front();
    if (const std::string wrong = what_is_wrong_with_the_command(app, first); !wrong.empty()) {
        complain(wrong);
        return exit_own_failure;
    }
    const CLI::App* command = first.starts_with("-") ? nullptr : app.get_subcommand(first);
    const std::string see =
        " (see syncspawn " + (command != nullptr ? first + " " : "") + "--help)";
    if (first == "run") {
        split_assignments(*command, arguments);
    }
    if (command != nullptr) {
        if (const std::string unknown = unknown_option(*command, arguments); !unknown.empty()) {
            complain("there is no option '" + unknown + "'" + see);
            return exit_own_failure;
        }
    }
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
    try {
        app.parse(arguments);
    } catch (const CLI::Success& answer) {  // --help, --version
        app.exit(answer);
        std::cout.flush();
        if (!std::cout) {
            complain("cannot write to standard output");
            return exit_own_failure;
        }
        return 0;
    } catch (const CLI::ParseError& error) {
        complain(in_plain_words(error) + see);
        return exit_own_failure;
    }
    return exit_code;
}

}  // namespace
}  // namespace syncspawn::tools

int main(int argc, char** argv) {
    try {
        return syncspawn::tools::run(argc, argv);
    } catch (const std::exception& error) {
        syncspawn::tools::complain(error.what());
        return syncspawn::tools::exit_own_failure;
    }
}
