#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "examination.hpp"

namespace syncspawn::tools {
namespace {

constexpr int version = 1;

// The length of the UTF-8 sequence that the text begins with; 0: it begins with none.
std::size_t length_of_sequence(std::string_view text) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xc2 && first < 0xe0 ? 2
                               : first >= 0xe0 && first < 0xf0 ? 3
                               : first >= 0xf0 && first < 0xf5 ? 4
                                                               : 0;
    if (length > text.size()) {
        return 0;
    }
    for (std::size_t at = 1; at < length; ++at) {
        if ((static_cast<unsigned char>(text[at]) & 0xc0U) != 0x80U) {
            return 0;
        }
    }
    return length;
}

// What is no UTF-8 becomes a question mark.
std::string quoted(std::string_view text) {
    std::string result = "\"";
    while (!text.empty()) {
        const std::size_t length = length_of_sequence(text);
        const char first = text.front();
        if (length == 0) {
            result += '?';
        } else if (first == '"' || first == '\\') {
            result += std::string("\\") + first;
        } else if (static_cast<unsigned char>(first) < 0x20) {
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(first));
            result += escaped;
        } else {
            result += text.substr(0, length);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return result + "\"";
}

class Object {
public:
    Object& text(const char* name, std::string_view value) { return raw(name, quoted(value)); }
    Object& number(const char* name, long long value) { return raw(name, std::to_string(value)); }
    Object& truth(const char* name, bool value) { return raw(name, value ? "true" : "false"); }
    Object& raw(const char* name, const std::string& value) {
        text_ += (text_.empty() ? "" : ", ") + quoted(name) + ": " + value;
        return *this;
    }
    [[nodiscard]] std::string done() const { return "{" + text_ + "}"; }

private:
    std::string text_{};
};

// One line for each.
template <class List, class Convert>
std::string array_of(const List& list, const Convert& convert) {
    std::string text;
    for (const auto& one : list) {
        text += (text.empty() ? "\n    " : ",\n    ") + convert(one);
    }
    return "[" + text + "]";
}

std::string json_of_error(const std::error_code& code) {
    return code ? Object().number("number", code.value()).text("message", code.message()).done()
                : "null";
}

std::string json_of(const sandbox::Problem& problem) {
    return Object()
        .text("where", problem.where)
        .text("cause", problem.what)
        .text("remedy", problem.remedy)
        .text("guarantee", problem.guarantee ? name_of(*problem.guarantee) : "")
        .text("mechanism", problem.mechanism)
        .raw("error", json_of_error(problem.code))
        .done();
}

std::string json_of(const sandbox::Holding& holding, const TrialLaunch& launch) {
    Object object;
    object.text("guarantee", name_of(holding.guarantee))
        .text("mechanism", holding.mechanism)
        .truth("whole", holding.is_whole)
        .text("gap", holding.gap);
    if (launch.enforcement) {
        for (const auto& read : launch.enforcement->guarantees) {
            if (read.holding.to_string() == holding.to_string()) {
                object.text("reading", word_of(read.reading)).text("evidence", read.evidence);
            }
        }
    }
    return object.done();
}

std::string json_of(const Verdict& verdict, const std::string& policy) {
    return Object()
        .text("policy", policy.empty() ? "default" : policy)
        .truth("holds", verdict.holds())
        .truth("launched", verdict.launch.has_run)
        .text("why_not_launched", verdict.launch.why_not)
        .raw("problems", array_of(verdict.problems, [](const auto& one) { return json_of(one); }))
        .raw("accept_weaker",
             array_of(verdict.accept_weaker, [](auto one) { return quoted(name_of(one)); }))
        .raw("guarantees", array_of(verdict.holdings,
                                    [&](const auto& one) { return json_of(one, verdict.launch); }))
        .done();
}

std::string json_of(const Finding& finding, const std::string& group) {
    Object object;
    object.text("name", finding.name)
        .text("group", group)
        .truth("allowed", finding.is_there)
        .text("detail", finding.detail);
    if (!finding.is_there) {
        object.text("call", finding.call)
            .raw("error", json_of_error(finding.error))
            .text("cause", finding.cause)
            .text("remedy", finding.remedy);
    }
    return object.done();
}

std::string machine_in_json(int landlock_version) {
    utsname about{};
    uname(&about);
    return Object()
        .text("kernel", about.release)
        .text("architecture", about.machine)
        .number("user", geteuid())
        .number("group", getegid())
        .number("landlock_version", landlock_version)
        .done();
}

}  // namespace

std::string in_json(const Examination& examination) {
    std::string findings;
    for (const FindingGroup& group : examination.groups) {
        for (const Finding& finding : group.findings) {
            findings += (findings.empty() ? "\n    " : ",\n    ") + json_of(finding, group.name);
        }
    }
    return "{\"version\": " + std::to_string(version) +
           ",\n\"syncspawn\": " + quoted(SYNCSPAWN_VERSION) +
           ",\n\"machine\": " + machine_in_json(examination.landlock_version) +
           ",\n\"verdict\": " + json_of(examination.verdict, examination.policy) +
           ",\n\"abilities\": [" + findings + "]}\n";
}

}  // namespace syncspawn::tools
