#include <syncspawn/sandbox/policy_error.hpp>

#include <utility>

namespace syncspawn::sandbox {
namespace {

std::string in_lines(const std::vector<Problem>& problems) {
    std::string text;
    for (const Problem& problem : problems) {
        text += (text.empty() ? "" : "\n") + problem.to_string();
    }
    return text;
}

}  // namespace

std::string Problem::to_string() const {
    std::string text = where + ": " + what;
    if (!mechanism.empty()) {
        text += " (" + mechanism + (code ? ": " + code.message() : "") + ")";
    } else if (code) {
        text += " (" + code.message() + ")";
    }
    return remedy.empty() ? text : text + "; " + remedy;
}

PolicyError::PolicyError(std::vector<Problem> problems)
    : std::runtime_error(in_lines(problems)),
      problems_(std::make_shared<const std::vector<Problem>>(std::move(problems))) {}
PolicyError::PolicyError(const PolicyError&) noexcept = default;
PolicyError& PolicyError::operator=(const PolicyError&) noexcept = default;
PolicyError::~PolicyError() = default;

}  // namespace syncspawn::sandbox
