#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "command_line.hpp"

namespace syncspawn::tools {

// What may stand at the cursor. It follows from the table of the command, so a new option needs no line in
// the script of any shell:
//
//     completion_of(line, {"--chdir", "/t"}, values_of)    // {.kind = Kind::directories}

// What the shell completes. It knows files, programs and their kin best.
enum class Kind { words, files, directories, programs, variables, users, groups, program_line };

struct Candidate {
    std::string word;
    std::string help{};
};

struct Completion {
    Kind kind = Kind::words;
    std::vector<Candidate> words{};  // of Kind::words
    std::string kept{};       // the word at the cursor goes on beginning with this: "--chdir="
    std::size_t program = 0;  // Kind::program_line: the word that names the program
};

// What an argument may be, by the name that --help gives it: "DIR", "SIGNAL". `option` is null for an operand.
struct Values {
    Kind kind = Kind::words;
    std::vector<Candidate> words{};
};
using ValuesOf = std::function<Values(const Option* option, std::string_view argument)>;

// `words` stand behind the name of the command. The last one is begun; it may be empty.
Completion completion_of(const CommandLine& line, const std::vector<std::string>& words,
                         const ValuesOf& values_of);

// For the script of a shell. First line: the kind. Second line: what is kept, or the number of the program's
// word. Then a line for each word, with a tabulator and its help.
std::string to_text(const Completion& completion);

}  // namespace syncspawn::tools
