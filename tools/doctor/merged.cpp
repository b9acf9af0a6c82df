#include "merged.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace syncspawn::tools {
namespace {

// "the controller 'cpu' is ...", "boot with ...=cpu": with other words for the label.
std::string with_label(std::string text, const std::string& label, const std::string& other) {
    const std::string quoted = "'" + label + "'";
    if (const std::size_t at = text.find(quoted); at != std::string::npos) {
        text.replace(at + 1, label.size(), other);
    }
    if (text.ends_with("=" + label)) {
        text.replace(text.size() - label.size(), label.size(), other);
    }
    return text;
}

bool have_same_cause(const Finding& one, const Finding& other) {
    const auto same = [&](const std::string& text, const std::string& text_of_other) {
        return with_label(text, one.label, "") == with_label(text_of_other, other.label, "");
    };
    return one.is_there == other.is_there &&
           (one.is_there || (same(one.cause, other.cause) && same(one.remedy, other.remedy)));
}

// A list that the kernel's command line takes, too.
std::string list_of(const std::vector<Finding>& findings, std::string_view comma) {
    std::string list;
    for (const Finding& finding : findings) {
        list += (list.empty() ? std::string() : std::string(comma)) + finding.label;
    }
    return list;
}

Finding one_for(const std::vector<Finding>& findings) {
    Finding one = findings.front();
    const std::string list = list_of(findings, ",");
    one.cause = with_label(one.cause, one.label, list);
    one.remedy = with_label(one.remedy, one.label, list);
    one.label = list_of(findings, ", ");
    one.detail.clear();
    return one;
}

}  // namespace

std::vector<Finding> merged(const std::vector<Finding>& findings) {
    std::vector<std::vector<Finding>> kinds(1);  // what is there comes first
    for (const Finding& finding : findings) {
        if (finding.is_there) {
            kinds.front().push_back(finding);
            continue;
        }
        std::size_t at = 1;
        while (at < kinds.size() && !have_same_cause(kinds[at].front(), finding)) {
            ++at;
        }
        kinds.resize(std::max(kinds.size(), at + 1));
        kinds[at].push_back(finding);
    }
    std::vector<Finding> result;
    for (const std::vector<Finding>& kind : kinds) {
        if (!kind.empty()) {
            result.push_back(one_for(kind));
        }
    }
    return result;
}

}  // namespace syncspawn::tools
