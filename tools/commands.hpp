#pragma once

#include <string_view>

namespace syncspawn::tools {

struct Command {
    const char* name;
    const char* summary;
    // argv[0] is the command's name. Returns what to exit with; may throw UsageError.
    int (*run)(int argc, char** argv);
    // Whether it has such an option.
    bool (*knows)(std::string_view option) = nullptr;
};

// Looks in the table, which is in syncspawn.cpp. Throws UsageError if there is none of that name.
const Command& command_named(std::string_view name);

// Runs it, and says on stderr what is wrong with its command line.
int perform(const Command& command, int argc, char** argv);

// What `syncspawn --help` prints, too.
int print_program_help();

int run(int argc, char** argv);
int barrier(int argc, char** argv);
int help(int argc, char** argv);

bool run_knows(std::string_view option);
bool barrier_knows(std::string_view option);

}  // namespace syncspawn::tools
