#pragma once

#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): not ours
class App;
class Option;
}  // namespace CLI

namespace syncspawn::tools {

// What stood before the first "--", and behind it, which is never looked at.
struct Separated {
    bool is_there = false;
    std::vector<std::string> before{};
    std::vector<std::string> words{};
};

// Each adds its subcommand to the application, to be run when that is parsed.
void add_run(CLI::App& app, const Separated& separated, int& exit_code);
void add_barrier(CLI::App& app, const Separated& separated, int& exit_code);

// For the words of `run` up to its program: "--setenv NAME=VALUE" becomes "--setenv NAME VALUE".
void split_assignments(const CLI::App& run, std::vector<std::string>& words);

// How many words follow it at least.
std::size_t values_of(const CLI::Option& option);

// "2", "1.5s", "200ms", "3m" as nanoseconds; throws CLI::ValidationError.
long long parse_duration(const std::string& text);

// The first line of the command's --help.
void set_usage(CLI::App& command, const std::string& usage);

// The text on one line of a terminal, whatever a name in it contains: control bytes as \xHH.
std::string printable(const std::string& text);

// One such line on stderr, after "syncspawn: ".
void complain(const std::string& message);

}  // namespace syncspawn::tools
