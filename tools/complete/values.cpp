#include "values.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include "tools/commands.hpp"

namespace syncspawn::tools {
namespace {

std::vector<Candidate> without_help(const std::vector<std::string_view>& words) {
    std::vector<Candidate> candidates;
    for (const std::string_view word : words) {
        candidates.push_back({std::string(word)});
    }
    return candidates;
}

// A word after the other, with a blank between.
std::vector<Candidate> split(std::string_view words) {
    std::vector<Candidate> candidates;
    while (!words.empty()) {
        const std::string_view word = words.substr(0, words.find(' '));
        candidates.push_back({std::string(word)});
        words.remove_prefix(std::min(words.size(), word.size() + 1));
    }
    return candidates;
}

// "The network: none (usual), loopback, host": the first word of each, behind the colon.
std::vector<Candidate> words_in_help(std::string_view help) {
    const std::size_t colon = help.rfind(": ");
    std::string_view rest = colon == std::string_view::npos ? "" : help.substr(colon + 2);
    std::vector<Candidate> candidates;
    while (!rest.empty()) {
        std::string_view item = rest.substr(0, rest.find(", "));
        rest.remove_prefix(std::min(rest.size(), item.size() + 2));
        item.remove_prefix(item.starts_with("or ") ? 3 : 0);
        candidates.push_back({std::string(item.substr(0, item.find(' ')))});
    }
    return candidates;
}

std::vector<Candidate> operations() { return without_help(names_of_operations()); }

std::vector<Candidate> commands() {
    std::vector<Candidate> candidates;
    describe_program([&](const CommandLine& line) {
        for (const Entry& command : line.commands) {
            candidates.push_back({std::string(command.name), std::string(command.summary)});
        }
    });
    return candidates;
}

std::vector<Candidate> signals() {
    std::vector<Candidate> candidates;
    for (int number = 1; number < SIGRTMIN; ++number) {
        if (const char* name = sigabbrev_np(number)) {
            candidates.push_back({name, strsignal(number)});
        }
    }
    return candidates;
}

std::vector<Candidate> clocks() { return split("boottime= monotonic="); }

std::vector<Candidate> kinds_of_scheduling() { return split("batch idle usual"); }

std::vector<Candidate> resources() {
    return split(
        "as= core= cpu= data= fsize= locks= memlock= msgqueue= nice= nofile= nproc= rss= rtprio= "
        "rttime= sigpending= stack=");
}

std::vector<Candidate> capabilities() {
    return split(
        "ALL CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_AUDIT_WRITE CAP_BLOCK_SUSPEND CAP_BPF "
        "CAP_CHECKPOINT_RESTORE CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER "
        "CAP_FSETID CAP_IPC_LOCK CAP_IPC_OWNER CAP_KILL CAP_LEASE CAP_LINUX_IMMUTABLE "
        "CAP_MAC_ADMIN CAP_MAC_OVERRIDE CAP_MKNOD CAP_NET_ADMIN CAP_NET_BIND_SERVICE "
        "CAP_NET_BROADCAST CAP_NET_RAW CAP_PERFMON CAP_SETFCAP CAP_SETGID CAP_SETPCAP CAP_SETUID "
        "CAP_SYSLOG CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_CHROOT CAP_SYS_MODULE CAP_SYS_NICE "
        "CAP_SYS_PACCT CAP_SYS_PTRACE CAP_SYS_RAWIO CAP_SYS_RESOURCE CAP_SYS_TIME "
        "CAP_SYS_TTY_CONFIG CAP_WAKE_ALARM");
}

struct Row {
    std::string_view argument;
    Kind kind;
    std::vector<Candidate> (*words)();
};

constexpr Row rows[] = {
    {"DIR", Kind::directories, nullptr},
    {"WORKDIR", Kind::directories, nullptr},
    {"RWSRC", Kind::directories, nullptr},
    {"FILE", Kind::files, nullptr},
    {"PATH", Kind::files, nullptr},
    {"SRC", Kind::files, nullptr},
    {"DEST", Kind::files, nullptr},
    {"TARGET", Kind::files, nullptr},
    {"LINK", Kind::files, nullptr},
    {"PROGRAM", Kind::programs, nullptr},
    {"CMD", Kind::programs, nullptr},
    {"VAR", Kind::variables, nullptr},
    {"USER", Kind::users, nullptr},
    {"GROUP", Kind::groups, nullptr},
    {"COMMAND", Kind::words, commands},
    {"OP", Kind::words, operations},
    {"CAP", Kind::words, capabilities},
    {"CLOCK=SECONDS", Kind::words, clocks},
    {"KIND", Kind::words, kinds_of_scheduling},
    {"NAME=SOFT", Kind::words, resources},
};

// Names that mean several things.
std::optional<Values> values_of_option(const Option& option, std::string_view argument) {
    if (argument == "WHAT" || argument == "GUARANTEE" || option.names.ends_with("-scope")) {
        return Values{.words = words_in_help(option.help)};
    }
    if (argument == "NAME" && option.names.ends_with("setenv")) {
        return Values{.kind = Kind::variables};
    }
    if (option.names.ends_with("--signal")) {
        return Values{.words = signals()};
    }
    if (option.names.ends_with("--groups")) {
        return Values{.kind = Kind::groups};
    }
    return std::nullopt;
}

}  // namespace

Values values_of(const Option* option, std::string_view argument) {
    if (option != nullptr) {
        if (auto values = values_of_option(*option, argument)) {
            return *std::move(values);
        }
    }
    for (const Row& row : rows) {
        // A list is GROUP,... or GROUP[,GROUP]...
        const std::string_view rest =
            argument.substr(std::min(argument.size(), row.argument.size()));
        if (argument.starts_with(row.argument) &&
            (rest.empty() || rest.front() == ',' || rest.front() == '[')) {
            return {.kind = row.kind,
                    .words = row.words != nullptr ? row.words() : std::vector<Candidate>()};
        }
    }
    return {};
}

}  // namespace syncspawn::tools
