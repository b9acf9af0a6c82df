#include <syncspawn/sandbox/enforcement.hpp>

#include <algorithm>

namespace syncspawn::sandbox {
namespace {

const char* word_for(Reading reading) noexcept {
    switch (reading) {
        case Reading::confirmed:
            return "confirmed";
        case Reading::refuted:
            return "NOT SO";
        case Reading::unread:
            break;
    }
    return "not read";
}

}  // namespace

std::string Holding::to_string() const {
    return std::string(name_of(guarantee)) + ": " + (is_whole ? "" : "weaker, ") + "by " +
           mechanism + (gap.empty() ? "" : "; but " + gap);
}

bool Enforcement::is_as_planned() const noexcept {
    return std::none_of(guarantees.begin(), guarantees.end(), [](const EnforcedGuarantee& one) {
        return one.reading == Reading::refuted;
    });
}

std::string Enforcement::to_string() const {
    std::string text;
    for (const EnforcedGuarantee& one : guarantees) {
        text +=
            one.holding.to_string() + " [" + word_for(one.reading) + ": " + one.evidence + "]\n";
    }
    return text;
}

}  // namespace syncspawn::sandbox
