#include "tools/command_line/command_line.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tools/command_line/duration.hpp"

// The table of a command that does not exist, with options of every form.

using namespace syncspawn::tools;

namespace {

class Made {
public:
    explicit Made(OperandPlace place = OperandPlace::behind_options) {
        line_.operand_place = place;
        line_.options = {
            {"-q, --quiet", "", "Say less", "Output", noted("quiet")},
            {"--[no-]pty", "", "Make a terminal", "", noted("pty")},
            {"--log", "[=FILE]", "Write a log", "", noted("log")},
            {"-b, --bind", "DIR", "Show a directory", "Files", noted("bind")},
            {"--set", "NAME VALUE", "Set a variable", "", noted("set")},
            {"--fussy", "VALUE", "Refuse it", "",
             [](const Given& given) { throw std::invalid_argument("not " + *given.value); }},
            {"--an-option-with-a-name-beyond-all-measure", "VALUE",
             "Explained below, at some length, so that the text takes more than a line of eighty",
             "", noted("long")},
            help_option,
        };
    }

    // What was applied, in order, then the operands: "quiet bind=/ | words | -- behind"
    std::string parse(std::vector<std::string> words) {
        words.insert(words.begin(), "made");
        std::vector<char*> pointers;
        for (std::string& word : words) {
            pointers.push_back(word.data());
        }
        pointers.push_back(nullptr);
        applied_.clear();
        const auto operands =
            syncspawn::tools::parse(line_, static_cast<int>(words.size()), pointers.data());
        if (!operands) {
            return applied_ + "help";
        }
        std::string text = applied_ + "|";
        for (const std::string& word : operands->words) {
            text += " " + word;
        }
        if (operands->behind_separator) {
            text += " --";
            for (const std::string& word : *operands->behind_separator) {
                text += " " + word;
            }
        }
        return text;
    }

    std::string refusal_of(const std::vector<std::string>& words) {
        try {
            return "accepted: " + parse(words);
        } catch (const UsageError& error) {
            return error.what() + (error.advice().empty() ? "" : "; " + error.advice());
        }
    }

    [[nodiscard]] std::string help() const { return help_of(line_); }

private:
    std::function<void(const Given&)> noted(const std::string& what) {
        return [this, what](const Given& given) {
            applied_ += (given.negated ? "no " : "") + what;
            applied_ += given.value ? "=" + *given.value : "";
            applied_ += given.second.empty() ? " " : "," + given.second + " ";
        };
    }

    CommandLine line_{.command = "made",
                      .synopsis = "[OPTION]... WORD...",
                      .summary = "Do nothing.",
                      .options = {}};
    std::string applied_;
};

}  // namespace

TEST_CASE("options are applied in the order of the command line, each time they are given") {
    Made made;
    CHECK(made.parse({"--bind", "/a", "-q", "--bind=/b", "-b", "/c", "-b/d", "-qb", "/e"}) ==
          "bind=/a quiet bind=/b bind=/c bind=/d quiet bind=/e |");
}

TEST_CASE("the value of an option is whatever comes next, but --") {
    Made made;
    CHECK(made.parse({"--bind", "--quiet", "--bind", ""}) == "bind=--quiet bind= |");
    CHECK(made.parse({"--bind=--"}) == "bind=-- |");
    CHECK(made.refusal_of({"--bind"}) == "--bind lacks its DIR");
    CHECK(made.refusal_of({"--bind", "--", "word"}) == "--bind lacks its DIR");
    CHECK(made.refusal_of({"-b"}) == "-b lacks its DIR");
}

TEST_CASE("an optional value is joined to its option") {
    Made made;
    CHECK(made.parse({"--log", "word"}) == "log | word");
    CHECK(made.parse({"--log=file", "word"}) == "log=file | word");
    CHECK(made.refusal_of({"--log="}) == "--log= lacks its FILE");
}

TEST_CASE("a name and its value are two words or one") {
    Made made;
    CHECK(made.parse({"--set", "A", "1", "--set", "B=2", "--set=C=3", "--set=D", "4", "word"}) ==
          "set=A,1 set=B,2 set=C,3 set=D,4 | word");
    CHECK(made.parse({"--set", "A=b=c"}) == "set=A,b=c |");
    CHECK(made.refusal_of({"--set", "A"}) == "--set lacks its VALUE");
    CHECK(made.refusal_of({"--set", "A", "--", "word"}) == "--set lacks its VALUE");
}

TEST_CASE("an argument of several words takes as many, whatever is in them") {
    std::vector<std::string> given_words;
    const CommandLine line{.command = "made",
                           .synopsis = "",
                           .summary = "",
                           .options = {{"--copy", "SRC WORK DEST", "", "",
                                        [&](const Given& given) { given_words = given.words; }}}};
    const auto words_of = [&](std::vector<std::string> words) {
        words.insert(words.begin(), "made");
        std::vector<char*> pointers;
        for (std::string& word : words) {
            pointers.push_back(word.data());
        }
        pointers.push_back(nullptr);
        (void)syncspawn::tools::parse(line, static_cast<int>(words.size()), pointers.data());
        return given_words;
    };
    CHECK(words_of({"--copy", "a=b", "", "--copy", "word"}) ==
          std::vector<std::string>{"a=b", "", "--copy"});
    CHECK(words_of({"--copy=a", "b", "c=d"}) == std::vector<std::string>{"a", "b", "c=d"});
    CHECK_THROWS_WITH_AS(words_of({"--copy", "a", "b"}), "--copy lacks its DEST", UsageError);
}

TEST_CASE("a flag can be negated if its row says so, and takes no value") {
    Made made;
    CHECK(made.parse({"--pty", "--no-pty"}) == "pty no pty |");
    CHECK(made.refusal_of({"--pty=no"}) == "--pty takes no value");
    CHECK(made.refusal_of({"--no-pty=no"}) == "--no-pty takes no value");
    CHECK(made.refusal_of({"--no-quiet"}) == "unknown option '--no-quiet'");
}

TEST_CASE("the first operand ends the options, or stands among them") {
    Made behind;
    CHECK(behind.parse({"-q", "word", "-q", "--", "-q"}) == "quiet | word -q -- -q");
    CHECK(behind.parse({"--", "-q", "--"}) == "| -- -q --");
    CHECK(behind.parse({"-", "-q"}) == "| - -q");
    Made among(OperandPlace::among_options);
    CHECK(among.parse({"word", "-q", "other", "--", "-q"}) == "quiet | word other -- -q");
    CHECK(among.parse({"word", "--"}) == "| word --");
}

TEST_CASE("what asks for help ends the parsing") {
    Made made;
    CHECK(made.parse({"-q", "--help", "--bogus"}) == "quiet help");
    CHECK(made.parse({"-qh"}) == "quiet help");
    CHECK(made.refusal_of({"--bogus", "--help"}) == "unknown option '--bogus'");
}

TEST_CASE("an unknown option is named, and the one that was meant") {
    Made made;
    CHECK(made.refusal_of({"-x"}) == "unknown option '-x'");
    CHECK(made.refusal_of({"--bogus=3"}) == "unknown option '--bogus'");
    CHECK(made.refusal_of({"--quite"}) == "unknown option '--quite'; did you mean '--quiet'?");
    CHECK(made.refusal_of({"-quiet"}) == "unknown option '-quiet'; did you mean '--quiet'?");
    CHECK(made.refusal_of({"--bid=/"}) == "unknown option '--bid'; did you mean '--bind'?");
    CHECK(made.refusal_of({""}) == "accepted: | ");
}

TEST_CASE("an abbreviation is no option, even if only one begins so") {
    Made made;
    CHECK(made.refusal_of({"--qui"}) == "unknown option '--qui'; did you mean '--quiet'?");
    CHECK(made.refusal_of({"--lo=file"}) == "unknown option '--lo'; did you mean '--log'?");
    CHECK(made.refusal_of({"--bi"}) == "unknown option '--bi'; did you mean '--bind'?");
}

TEST_CASE("what an option refuses is told with its name") {
    Made made;
    CHECK(made.refusal_of({"--fussy", "good"}) == "--fussy: not good");
}

TEST_CASE("parsing begins anew with every command line") {
    Made made;
    CHECK(made.refusal_of({"-q", "-qx"}) == "unknown option '-qx'");
    CHECK(made.parse({"-q", "word"}) == "quiet | word");
    CHECK(made.parse({}) == "|");
}

TEST_CASE("help shows the options in their groups, within 80 columns") {
    CHECK(Made().help() ==
          "Usage: made [OPTION]... WORD...\n"
          "\n"
          "Do nothing.\n"
          "\n"
          "Output:\n"
          "  -q, --quiet       Say less\n"
          "  --[no-]pty        Make a terminal\n"
          "  --log[=FILE]      Write a log\n"
          "\n"
          "Files:\n"
          "  -b, --bind DIR    Show a directory\n"
          "  --set NAME VALUE  Set a variable\n"
          "  --fussy VALUE     Refuse it\n"
          "  --an-option-with-a-name-beyond-all-measure VALUE\n"
          "                    Explained below, at some length, so that the text takes more\n"
          "                    than a line of eighty\n"
          "  -h, --help        Print this help\n");
}

TEST_CASE("the nearest word is the only one that begins so, or has few slips") {
    const std::vector<std::string_view> known{"place", "place-and-sync", "sync", "status"};
    CHECK(nearest_to("plaice", known) == "place");
    CHECK(nearest_to("sycn", known) == "sync");
    CHECK(nearest_to("stat", known) == "status");
    CHECK(nearest_to("place-", known) == "place-and-sync");
    CHECK(nearest_to("abort", known).empty());
    CHECK(nearest_to("x", known).empty());
    CHECK(nearest_to("", known).empty());
    CHECK(nearest_to("--", known).empty());
}

TEST_CASE("words are listed as in a sentence") {
    CHECK(listed({}).empty());
    CHECK(listed({"a"}) == "a");
    CHECK(listed({"a", "b"}) == "a and b");
    CHECK(listed({"a", "b", "c"}, "or") == "a, b or c");
}

TEST_CASE("a duration has a unit, or is in seconds") {
    using std::chrono::milliseconds;
    CHECK(parse_duration("2") == milliseconds(2000));
    CHECK(parse_duration("1.5s") == milliseconds(1500));
    CHECK(parse_duration("200ms") == milliseconds(200));
    CHECK(parse_duration("3m") == milliseconds(180'000));
    CHECK(parse_duration("1h30m") == milliseconds(5'400'000));
    CHECK(parse_duration("2d") == milliseconds(172'800'000));
    CHECK(parse_duration("1m30.5s") == milliseconds(90'500));
    for (const char* text :
         {"", "soon", "-1s", "1e9", "nan", "inf", "2 s", "2w", "h", "1h30", "9000000000"}) {
        CAPTURE(text);
        CHECK_FALSE(is_duration(text));
    }
}
