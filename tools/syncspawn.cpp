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
    app.set_version_flag("--version", "syncspawn " SYNCSPAWN_VERSION);
    app.require_subcommand(1);
    app.footer("See syncspawn(1), syncspawn-run(1) and syncspawn-barrier(1).");
    int exit_code = 0;
    add_run(app, separated, exit_code);
    add_barrier(app, separated, exit_code);
    const auto is_first = [&](const CLI::App* command) {
        return command->get_name() == arguments.front();
    };
    if (!arguments.empty() && !arguments.front().starts_with("-") &&
        app.get_subcommands(is_first).empty()) {
        complain("there is no command '" + arguments.front() + "'; there are run and barrier");
        return exit_own_failure;
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
        complain(std::string(error.what()) + " (see syncspawn --help)");
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
