#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {

// Is given the table of a command, which lives as long as the call.
using LineUser = std::function<void(const CommandLine&)>;

struct Command {
    const char* name;
    const char* summary;
    // argv[0] is the command's name. Returns what to exit with; may throw UsageError.
    int (*run)(int argc, char** argv);
    void (*describe)(const LineUser& use);
};

// Looks in the table, which is in syncspawn.cpp. Null if there is none of that name.
const Command* find_command(std::string_view name);

// Throws UsageError if there is none.
const Command& command_named(std::string_view name);

// Runs it, and says on stderr what is wrong with its command line.
int perform(const Command& command, int argc, char** argv);

// The options of `syncspawn` itself, and the commands.
void describe_program(const LineUser& use);

int run(int argc, char** argv);
void describe_run(const LineUser& use);

int barrier(int argc, char** argv);
void describe_barrier(const LineUser& use);
std::vector<std::string_view> names_of_operations();

int doctor(int argc, char** argv);
void describe_doctor(const LineUser& use);

int help(int argc, char** argv);
void describe_help(const LineUser& use);
// The help of a command, on standard output. Returns what to exit with.
int print_help(void (*describe)(const LineUser& use));

int complete(int argc, char** argv);

}  // namespace syncspawn::tools
