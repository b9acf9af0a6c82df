#include "parse.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "options.hpp"
#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools::bwrap {
namespace {

using Words = std::span<const char* const>;

std::string contents_of(int fd) {
    std::string text;
    std::array<char, 16384> piece{};
    for (;;) {
        const ssize_t count = read(fd, piece.data(), piece.size());
        if (count == 0) {
            return text;
        }
        if (count < 0 && errno != EINTR) {
            throw UsageError("Can't read --args data: " + std::generic_category().message(errno));
        }
        text.append(piece.data(), count < 0 ? 0 : static_cast<std::size_t>(count));
    }
}

// What each NUL ends, and what is left behind the last.
std::vector<const char*> words_in(const std::string& text) {
    std::vector<const char*> words;
    for (std::size_t at = 0; at < text.size(); at = text.find('\0', at) + 1) {
        words.push_back(text.data() + at);
        if (text.find('\0', at) == std::string::npos) {
            break;
        }
    }
    return words;
}

void require_values(const char* name, std::size_t needed, std::size_t found) {
    constexpr std::array counts{"no argument", "an argument", "two arguments", "three arguments"};
    if (found < needed) {
        throw UsageError(std::string(name) + " takes " + counts[needed]);
    }
}

// Other options do not stand between --perms and what it is for.
bool lays_files_out(const Row& row) {
    const std::span<const Row> rows = file_rows();
    return std::any_of(rows.begin(), rows.end(), [&](const Row& one) { return &one == &row; });
}

class Parser {
public:
    explicit Parser(Request& request) : request_(request) {}

    // Takes options up to the first other word, or behind "--". Returns what is left.
    Words take_options(Words words) {
        while (!words.empty() && words.front()[0] == '-') {
            const std::string_view word = words.front();
            if (word == "--") {
                return words.subspan(1);
            }
            if (word == "--help" || word == "--version") {
                request_.answer = word == "--help" ? Answer::help : Answer::version;
                return {};
            }
            words = word == "--args" ? take_args(words) : take_option(words);
            if (has_answer()) {
                return {};
            }
        }
        return words;
    }

    [[nodiscard]] bool has_answer() const {
        return request_.answer == Answer::help || request_.answer == Answer::version;
    }

private:
    // Options from a descriptor. What stands behind them in there is no command, and ignored.
    Words take_args(Words words) {
        require_values("--args", 1, words.size() - 1);
        const int fd = Given{"--args", words.subspan(1, 1)}.descriptor();
        const std::string text = contents_of(fd);
        close(fd);
        take_options(words_in(text));
        return words.subspan(2);
    }

    Words take_option(Words words) {
        const Row* const row = row_named(words.front());
        if (row == nullptr) {
            throw UsageError("Unknown option " + std::string(words.front()));
        }
        const std::size_t count = row->count_of_arguments();
        require_values(row->name, count, words.size() - 1);
        if (!lays_files_out(*row)) {
            request_.surroundings.files.require_complete();
        }
        row->apply(request_, {row->name, words.subspan(1, count)});
        return words.subspan(1 + count);
    }

    Request& request_;
};

}  // namespace

void parse(Request& request, int argc, const char* const* argv) {
    Parser parser(request);
    const Words words(argv, static_cast<std::size_t>(argc));
    const Words command = parser.take_options(words.subspan(words.empty() ? 0 : 1));
    if (parser.has_answer() || command.empty()) {
        return;
    }
    request.answer = Answer::launch;
    request.spawn.program = command.front();
    request.spawn.arguments.assign(command.begin() + 1, command.end());
}

}  // namespace syncspawn::tools::bwrap
