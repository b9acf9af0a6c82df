#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "examination.hpp"
#include "merged.hpp"
#include "tools/messages.hpp"

namespace syncspawn::tools {
namespace {

constexpr std::size_t margin = 2;

std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(width, text.size()), ' ');
    return text;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        text += (text.empty() ? "" : ", ") + word;
    }
    return text;
}

class TextReport {
public:
    TextReport(const Examination& examination, const ReportStyle& style)
        : examination_(examination), style_(style) {
        for (const FindingGroup& group : examination.groups) {
            width_ = std::max(width_, group.title.size());
        }
    }

    std::string all() {
        add_verdict();
        add_machine();
        return std::move(text_);
    }

private:
    [[nodiscard]] std::string coloured(const char* colour, const std::string& text) const {
        return style_.is_coloured ? std::string("\033[") + colour + "m" + text + "\033[0m" : text;
    }
    [[nodiscard]] std::string bold(const std::string& text) const { return coloured("1", text); }
    [[nodiscard]] std::string answer(bool is_yes) const {
        return is_yes ? coloured("32", "yes") : coloured("31", "no ");
    }

    // Words up to the last column; those that do not fit begin a line at the same place.
    void add_wrapped(std::size_t indent, std::string_view words) {
        std::string plain(words);
        std::replace(plain.begin(), plain.end(), '\t', ' ');
        plain = printable(plain);
        std::string_view rest = plain;
        std::size_t column = indent;
        while (!rest.empty()) {
            const std::string_view word = rest.substr(0, rest.find(' '));
            rest.remove_prefix(std::min(rest.size(), word.size() + 1));
            if (column > indent && style_.columns > 0 &&
                column + 1 + word.size() > style_.columns) {
                text_ += '\n' + std::string(indent, ' ');
                column = indent;
            } else if (column > indent) {
                text_ += ' ';
                ++column;
            }
            text_ += word;
            column += word.size();
        }
        text_ += '\n';
    }

    void add_row(const std::string& label, const std::string& words) {
        const std::size_t indent = margin + width_ + 2;
        text_ += std::string(margin, ' ') + padded(printable(label), width_);
        text_ += label.size() > width_ ? '\n' + std::string(indent, ' ') : "  ";
        add_wrapped(indent, words);
    }
    // Below a row of the same kind.
    void add_below(std::size_t indent, const std::string& words) {
        text_ += std::string(indent, ' ');
        add_wrapped(indent, words);
    }

    void add_headline() {
        const Verdict& verdict = examination_.verdict;
        const std::string policy = examination_.policy.empty()
                                       ? "The default policy"
                                       : "The policy " + printable(examination_.policy);
        if (verdict.holds()) {
            text_ += bold(policy + coloured("32", " holds here.")) + "\n\n";
            return;
        }
        std::vector<std::string> names;
        for (const sandbox::Problem& problem : verdict.problems) {
            if (std::find(names.begin(), names.end(), problem.where) == names.end()) {
                names.push_back(problem.where);
            }
        }
        text_ +=
            bold(policy + coloured("31", " does not hold here") + ": " + printable(joined(names))) +
            "\n\n";
    }

    void add_problem(const sandbox::Problem& problem) {
        std::string cause = problem.what;
        if (!problem.mechanism.empty()) {
            cause += " (" + problem.mechanism +
                     (problem.code ? ": " + problem.code.message() : "") + ")";
        } else if (problem.code) {
            cause += " (" + problem.code.message() + ")";
        }
        add_row(problem.where, cause);
        add_remedy(margin + width_ + 2, problem.remedy);
    }

    // Once; what follows with the same one does not repeat it.
    void add_remedy(std::size_t indent, const std::string& remedy) {
        if (!remedy.empty() && remedy != last_remedy_) {
            add_below(indent, "-> " + remedy);
        }
        last_remedy_ = remedy;
    }

    void add_holding(const sandbox::Holding& holding) {
        add_row(std::string(name_of(holding.guarantee)),
                (holding.is_whole ? "" : "weaker: ") + holding.mechanism);
        if (!holding.gap.empty() && (style_.is_verbose || !holding.is_whole)) {
            add_below(margin + width_ + 2, "but " + holding.gap);
        }
    }

    void add_launch() {
        const TrialLaunch& launch = examination_.verdict.launch;
        if (!launch.why_not.empty()) {
            text_ += "\nPlanned, but not tried: ";
            add_wrapped(margin, launch.why_not);
        } else if (launch.enforcement && style_.is_verbose) {
            text_ += "\nRead back from a program that was launched so:\n\n";
            for (const sandbox::EnforcedGuarantee& one : launch.enforcement->guarantees) {
                add_row(std::string(name_of(one.holding.guarantee)),
                        std::string(word_of(one.reading)) + ": " + one.evidence);
            }
        }
    }

    void add_verdict() {
        const Verdict& verdict = examination_.verdict;
        add_headline();
        for (const sandbox::Problem& problem : verdict.problems) {
            add_problem(problem);
        }
        if (!verdict.holds() && !verdict.accept_weaker.empty()) {
            std::vector<std::string> names;
            for (const sandbox::Guarantee one : verdict.accept_weaker) {
                names.emplace_back(name_of(one));
            }
            text_ += "\nWith accept_weaker for " + joined(names) + " it holds, by:\n\n";
        }
        for (const sandbox::Holding& holding : verdict.holdings) {
            add_holding(holding);
        }
        add_launch();
    }

    void add_machine() {
        utsname about{};
        uname(&about);
        text_ += '\n' +
                 bold("What Linux " + std::string(about.release) + " (" + about.machine +
                      ") lets user " + std::to_string(geteuid()) + " do") +
                 "\n\n";
        for (const FindingGroup& group : examination_.groups) {
            add_group(group.title, style_.is_verbose ? group.findings : merged(group.findings));
        }
    }

    void add_group(std::string title, const std::vector<Finding>& findings) {
        for (const Finding& finding : findings) {
            const bool has_detail = finding.is_there && !finding.detail.empty();
            add_answer(title, answer(finding.is_there),
                       finding.label + (has_detail ? ": " + finding.detail : ""));
            if (!finding.is_there) {
                add_cause(finding);
            }
            title.clear();
        }
    }

    void add_answer(const std::string& title, const std::string& word, const std::string& what) {
        text_ += std::string(margin, ' ') + padded(title, width_) + "  " + word + "  ";
        add_wrapped(indent_of_causes(), what);
    }

    [[nodiscard]] std::size_t indent_of_causes() const { return margin + width_ + 2 + 3 + 2; }

    void add_cause(const Finding& finding) {
        const auto [begin, end] = causes_.equal_range(finding.cause);
        if (std::any_of(begin, end,
                        [&](const auto& told) { return told.second == finding.remedy; })) {
            add_below(indent_of_causes(), "as above: " + finding.cause);
            return;
        }
        causes_.emplace(finding.cause, finding.remedy);
        const std::string error =
            finding.error ? finding.call + ": " + finding.error.message() + ": " : std::string();
        add_below(indent_of_causes(), error + finding.cause);
        if (!finding.remedy.empty()) {
            add_below(indent_of_causes(), "-> " + finding.remedy);
        }
    }

    const Examination& examination_;
    ReportStyle style_;
    std::size_t width_ = std::string_view("system calls").size();
    std::string last_remedy_{};
    std::multimap<std::string, std::string> causes_{};  // told already, with their remedies
    std::string text_{};
};

}  // namespace

std::string in_text(const Examination& examination, const ReportStyle& style) {
    return TextReport(examination, style).all();
}

}  // namespace syncspawn::tools
