#include <syncspawn/launcher/spawn_error.hpp>

#include <cctype>

#include "hints.hpp"
#include "last_words.hpp"
#include "spawn_error_facts.hpp"

namespace syncspawn {
namespace {

std::string in_lower_case(std::string text) {
    if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0) {
        text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    }
    return text;
}

std::error_code code_of(const SpawnError::Facts& facts) {
    return facts.code.value_or(std::error_code(facts.error, std::generic_category()));
}

std::string place_of(const SpawnError::Facts& facts) {
    switch (facts.stage) {
        case Stage::step:
            return "in step '" + facts.step + "'";
        case Stage::rendezvous:
            return "at the rendezvous '" + facts.step + "'";
        case Stage::readiness:
            return "before it was ready";
        default:
            return "in " + facts.step;
    }
}

// How the child or the program ended, as a sentence.
std::string describe_end(const SpawnError::Facts& facts) {
    const bool is_program = facts.stage == Stage::readiness;
    const std::string who = is_program ? "the program" : "the child";
    switch (facts.cause) {
        case Cause::killed:
            return who + " was " + facts.status->to_string() + " " + place_of(facts);
        case Cause::exited:
            return who + " " + facts.status->to_string() + " " + place_of(facts);
        case Cause::disconnected:
            return who + " closed its barrier " + place_of(facts) + ", and lived on";
        case Cause::aborted:
            return who + " aborted the barrier " + place_of(facts);
        default:
            return facts.detail;
    }
}

std::string in_parentheses(const std::string& hint) {
    return hint.empty() ? "" : " (" + hint + ")";
}

// "WHERE in the SIDE: WHAT (HINT)". What the parent prepares and starts says so itself.
std::string describe_error(const SpawnError::Facts& facts) {
    std::string text = facts.step;
    const bool is_before_the_child = facts.stage == Stage::prepare || facts.stage == Stage::start;
    if (facts.side == WhichSide::child || !is_before_the_child) {
        text += facts.side == WhichSide::parent ? " in the parent" : " in the child";
    }
    if (facts.cause == Cause::exception) {
        return text + ": exception: " + facts.detail;
    }
    const std::string error = in_lower_case(code_of(facts).message());
    // What is known of a refused execve explains the errno; elsewhere it names the call.
    const bool explains = facts.stage == Stage::execve;
    text += ": " + (facts.detail.empty() || explains ? "" : facts.detail + ": ") + error;
    const std::string& hint = explains && facts.hint.empty() ? facts.detail : facts.hint;
    return text + in_parentheses(hint);
}

std::string describe(const SpawnError::Facts& facts) {
    const bool is_call = (facts.cause == Cause::error || facts.cause == Cause::exception) &&
                         facts.call != detail::KnownCall::full_pipe;
    std::string text =
        is_call ? describe_error(facts) : describe_end(facts) + in_parentheses(facts.hint);
    if (facts.program_may_have_run && facts.stage != Stage::readiness) {
        text += "; the program may have run";
    }
    if (facts.survivor) {
        text += "; pid " + std::to_string(*facts.survivor) +
                " could not be killed: " + facts.why_it_survived;
    }
    const std::string lines = detail::quoted_lines_of(facts.last_words);
    return text + facts.undo_failures + (lines.empty() ? "" : "; its last words: " + lines);
}

const SpawnError::Facts no_facts{};

}  // namespace

SpawnError::SpawnError() noexcept = default;
SpawnError::SpawnError(const SpawnError&) noexcept = default;
SpawnError& SpawnError::operator=(const SpawnError&) noexcept = default;
SpawnError::SpawnError(SpawnError&&) noexcept = default;
SpawnError& SpawnError::operator=(SpawnError&&) noexcept = default;
SpawnError::~SpawnError() = default;

SpawnError::SpawnError(Facts facts) {
    facts.text = describe(facts);
    facts_ = std::make_shared<const Facts>(std::move(facts));
}

const SpawnError::Facts& SpawnError::facts() const noexcept {
    return facts_ != nullptr ? *facts_ : no_facts;
}

SpawnError SpawnError::in_preparation(std::string what, std::error_code code) {
    Facts facts{.stage = Stage::prepare,
                .cause = Cause::error,
                .step = "prepare the launch",
                .error = code.value(),
                .code = code,
                .detail = std::move(what),
                .call = detail::KnownCall::preparation};
    if (code.category() == std::generic_category() || code.category() == std::system_category()) {
        facts.hint = detail::hint_for({}, StartMethod::automatic, facts);
    }
    return SpawnError(std::move(facts));
}

WhichSide SpawnError::side() const noexcept { return facts().side; }
Stage SpawnError::stage() const noexcept { return facts().stage; }
Cause SpawnError::cause() const noexcept { return facts().cause; }
const std::string& SpawnError::step() const noexcept { return facts().step; }
std::error_code SpawnError::code() const noexcept { return code_of(facts()); }
SpawnError SpawnError::with_code(std::error_code code) const {
    if (!*this) {
        return *this;
    }
    Facts facts = this->facts();
    facts.code = code;
    return SpawnError(std::move(facts));
}
SpawnError SpawnError::with_last_words(std::string_view words) const {
    if (!*this) {
        return *this;
    }
    Facts facts = this->facts();
    facts.last_words = detail::last_of(words);
    return SpawnError(std::move(facts));
}
const std::string& SpawnError::last_words() const noexcept { return facts().last_words; }
pid_t SpawnError::child_pid() const noexcept { return facts().child_pid; }
std::optional<ExitStatus> SpawnError::status() const noexcept { return facts().status; }
const std::string& SpawnError::detail() const noexcept { return facts().detail; }
std::optional<pid_t> SpawnError::survivor() const noexcept { return facts().survivor; }
const std::string& SpawnError::hint() const noexcept { return facts().hint; }
bool SpawnError::program_may_have_run() const noexcept { return facts().program_may_have_run; }
const char* SpawnError::what() const noexcept {
    return facts_ != nullptr ? facts_->text.c_str() : "no error";
}
const Timeline& SpawnError::timeline() const noexcept { return facts().timeline; }

}  // namespace syncspawn
