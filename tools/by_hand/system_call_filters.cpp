#include "system_call_filters.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {
namespace {

using sandbox::CallAction;

std::string text_of(int error) { return std::generic_category().message(error); }

std::vector<std::string> words_in(std::string_view line) {
    constexpr std::string_view blank = " \t\r";
    std::vector<std::string> words;
    line = line.substr(0, line.find('#'));
    while (line.find_first_not_of(blank) != std::string_view::npos) {
        line.remove_prefix(line.find_first_not_of(blank));
        words.emplace_back(line.substr(0, line.find_first_of(blank)));
        line.remove_prefix(words.back().size());
    }
    return words;
}

// What a filter answers with, as a rule.
constexpr std::pair<std::string_view, int> errors[] = {
    {"EPERM", EPERM},   {"EACCES", EACCES}, {"ENOSYS", ENOSYS},
    {"EINVAL", EINVAL}, {"ENOENT", ENOENT}, {"EAFNOSUPPORT", EAFNOSUPPORT},
    {"EBUSY", EBUSY},   {"ENODEV", ENODEV}, {"EOPNOTSUPP", EOPNOTSUPP},
    {"EIO", EIO},
};

std::optional<CallAction> action_named(const std::string& word) {
    if (word == "allow") {
        return CallAction::allow();
    }
    if (word == "kill") {
        return CallAction::kill_process();
    }
    if (word == "trap") {
        return CallAction::trap();
    }
    if (word == "log") {
        return CallAction::log();
    }
    for (const auto& [name, number] : errors) {
        if (word == name) {
            return CallAction::error(number);
        }
    }
    int number = 0;
    const char* const end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, number);
    const bool is_number = error == std::errc() && stop == end && 1 <= number && number <= 4095;
    return is_number ? std::optional(CallAction::error(number)) : std::nullopt;
}

CallAction action_of(const std::string& word) {
    const auto action = action_named(word);
    if (!action) {
        throw UsageError("'" + word + "' is no action",
                         "there are allow, kill, trap, log, and an errno: EPERM, or its number");
    }
    return *action;
}

void take_line(sandbox::SystemCallFilter& filter, const std::vector<std::string>& words) {
    if (words.front() == "otherwise" && words.size() == 2) {
        filter.otherwise = action_of(words.back());
        return;
    }
    if (words.front() == "include" && words.size() == 2 && words.back() == "default") {
        for (sandbox::CallRule& rule : sandbox::default_deny_set().rules) {
            filter.rules.push_back(std::move(rule));
        }
        return;
    }
    if (words.size() < 2 || words.front() == "otherwise" || words.front() == "include") {
        throw UsageError("'" + words.front() + "' is not followed by what it takes",
                         "say ACTION CALL..., otherwise ACTION, or include default");
    }
    filter.rules.push_back(
        {.calls = {words.begin() + 1, words.end()}, .action = action_of(words.front())});
}

// All that comes from the descriptor, which is closed then. That may be -1, with the reason in errno.
std::string read_all(int descriptor, int& error) {
    std::string content;
    if (descriptor < 0) {
        error = errno;
        return content;
    }
    std::array<char, 4096> piece{};
    ssize_t count = 0;
    do {
        count = read(descriptor, piece.data(), piece.size());
        if (count > 0) {
            content.append(piece.data(), static_cast<std::size_t>(count));
        }
    } while (count > 0 || (count < 0 && errno == EINTR));
    error = count < 0 ? errno : 0;
    close(descriptor);
    return content;
}

sandbox::RawSystemCallFilter read_program(const FilterSource& source, Manner manner) {
    const bool is_bubblewrap = manner == Manner::as_bubblewrap;
    int error = 0;
    const std::string content = read_all(source.descriptor, error);
    if (error != 0) {
        throw UsageError(is_bubblewrap ? "Can't read seccomp data: " + text_of(error)
                                       : source.typed + " cannot be read: " + text_of(error));
    }
    sandbox::RawSystemCallFilter filter;
    if (content.size() % sizeof filter.code[0] != 0) {
        throw UsageError(is_bubblewrap
                             ? "Invalid seccomp data, must be multiple of 8"
                             : source.typed + ": " + std::to_string(content.size()) +
                                   " bytes are no filter, which has a multiple of 8: give it "
                                   "what seccomp_export_bpf(3) writes");
    }
    filter.code.resize(content.size() / sizeof filter.code[0]);
    if (!content.empty()) {
        std::memcpy(filter.code.data(), content.data(), content.size());
    }
    return filter;
}

}  // namespace

sandbox::SystemCallFilter read_filter_file(const std::string& path) {
    int error = 0;
    const std::string content = read_all(open(path.c_str(), O_RDONLY | O_CLOEXEC), error);
    if (error != 0) {
        throw UsageError("'" + path + "' cannot be read: " + text_of(error));
    }
    sandbox::SystemCallFilter filter;
    std::string_view rest = content;
    for (int number = 1; !rest.empty(); ++number) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        const std::vector<std::string> words = words_in(line);
        try {
            if (!words.empty()) {
                take_line(filter, words);
            }
        } catch (const UsageError& wrong) {
            throw UsageError(path + ":" + std::to_string(number) + ": " + wrong.what(),
                             wrong.advice());
        }
    }
    return filter;
}

Step filter_step(const FilterSource& source, Manner manner) {
    try {
        switch (source.kind) {
            case FilterSource::Kind::program:
                return sandbox::system_calls(read_program(source, manner));
            case FilterSource::Kind::deny_set:
                return sandbox::system_calls(sandbox::default_deny_set());
            case FilterSource::Kind::policy:
                break;
        }
        return sandbox::system_calls(read_filter_file(source.file));
    } catch (const std::invalid_argument& error) {
        throw UsageError(source.typed + ": " + error.what());
    }
}

}  // namespace syncspawn::tools
