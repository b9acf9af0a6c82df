#include "tools/command_line/completion.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

// The table of a command that does not exist, with options of every form.

using namespace syncspawn::tools;

namespace {

CommandLine line_of(std::string_view synopsis, OperandPlace place = OperandPlace::behind_options) {
    const auto nothing = [](const Given&) {};
    return {.command = "made",
            .synopsis = synopsis,
            .summary = "",
            .options = {{"-q, --quiet", "", "Say less", "", nothing},
                        {"--[no-]pty", "", "Make a terminal", "", nothing},
                        {"--log", "[=FILE]", "Write a log", "", nothing},
                        {"-C, --chdir", "DIR", "Enter", "", nothing},
                        {"--set", "NAME VALUE", "Set a variable", "", nothing},
                        {"--bind", "SRC DEST", "Show a file", "", nothing},
                        {"--weaker", "WHAT", "Accept it", "", nothing},
                        help_option},
            .operand_place = place};
}

Values values(const Option* /*option*/, std::string_view argument) {
    if (argument == "WHAT" || argument == "OP") {
        return {.words = {{"files"}, {"limits"}, {"system calls"}}};
    }
    return {.kind = argument == "DIR"     ? Kind::directories
                    : argument == "FILE"  ? Kind::files
                    : argument == "SRC"   ? Kind::users
                    : argument == "DEST"  ? Kind::groups
                    : argument == "NAME"  ? Kind::variables
                    : argument == "VALUE" ? Kind::words
                                          : Kind::programs};
}

// The kind, what is kept or where the program is, and the words: "words|--chdir=|a b"
std::string completed(const CommandLine& line, const std::vector<std::string>& words) {
    const std::string text = to_text(completion_of(line, words, values));
    std::string result;
    bool is_help = false;
    for (const char character : text) {
        is_help = character != '\n' && (is_help || character == '\t');
        result += is_help ? std::string() : std::string(1, character == '\n' ? '|' : character);
    }
    return result;
}

std::string completed(const std::vector<std::string>& words) {
    return completed(line_of("[OPTION]... PROGRAM [ARG]..."), words);
}

}  // namespace

TEST_CASE("options are completed by their names, and one that can be negated by both") {
    CHECK(completed({"--"}) ==
          "words||--quiet|--pty|--no-pty|--log|--chdir|--set|--bind|--weaker|--help|");
    CHECK(completed({"-q", "--p"}) == "words||--pty|");
    CHECK(completed({"--no"}) == "words||--no-pty|");
    CHECK(completed({"--unknown", "--he"}) == "words||--help|");
}

TEST_CASE("the value of an option is what its argument is named after") {
    CHECK(completed({"--chdir", "/t"}) == "directories||");
    CHECK(completed({"-C", ""}) == "directories||");
    CHECK(completed({"--chdir=/t"}) == "directories|--chdir=|");
    CHECK(completed({"--log=x"}) == "files|--log=|");
    CHECK(completed({"--log", ""}) == "programs||");
    CHECK(completed({"--unknown=/t"}) == "words||");
    CHECK(completed({"--quiet=/t"}) == "words||");
}

TEST_CASE("each word of an option that takes two is completed") {
    CHECK(completed({"--bind", ""}) == "users||");
    CHECK(completed({"--bind", "a", ""}) == "groups||");
    CHECK(completed({"--bind", "a", "b", ""}) == "programs||");
    CHECK(completed({"--set", ""}) == "variables||");
    CHECK(completed({"--set", "A=", "-q", "prog", ""}) == "program-line|3|");
    CHECK(completed({"--set=A", "b", "--q"}) == "words||--quiet|");
    CHECK(completed({"--set=A=b", "--q"}) == "words||--quiet|");
    CHECK(completed({"--set", "A=b"}) == "words||");
}

TEST_CASE("words of a set are completed, also as elements of a list") {
    CHECK(completed({"--weaker", ""}) == "words||files|limits|system calls|");
    CHECK(completed({"--weaker=l"}) == "words|--weaker=|limits|");
    CHECK(completed({"--weaker", "files,l"}) == "words|files,|limits|");
    CHECK(completed({"--weaker=files,l"}) == "words|--weaker=files,|limits|");
}

TEST_CASE("a program is completed, and its arguments are left to its own completion") {
    CHECK(completed({""}) == "programs||");
    CHECK(completed({"pro"}) == "programs||");
    CHECK(completed({"-q", "--", "-"}) == "programs||");
    CHECK(completed({"prog", "-"}) == "program-line|0|");
    CHECK(completed({"--chdir", "/", "prog", "--", ""}) == "program-line|2|");
    CHECK(completed({"--", "--quiet", ""}) == "program-line|1|");
}

TEST_CASE("operations may stand among the options, and the program behind them") {
    const CommandLine line =
        line_of("[-q] OP... [-- PROGRAM [ARG]...]", OperandPlace::among_options);
    CHECK(completed(line, {"f"}) == "words||files|");
    CHECK(completed(line, {"files", "-q", "l"}) == "words||limits|");
    CHECK(completed(line, {"files", "--", "l"}) == "programs||");
    CHECK(completed(line, {"files", "--", "ls", "l"}) == "program-line|2|");
}

TEST_CASE("the commands of a program are completed") {
    CommandLine line = line_of("COMMAND [ARGUMENT]...");
    line.commands = {{"run", ""}, {"barrier", ""}};
    CHECK(completed(line, {""}) == "words||run|barrier|");
    CHECK(completed(line, {"--", "r"}) == "words||run|");
    CHECK(completed(line, {"run", ""}) == "words||");
}
