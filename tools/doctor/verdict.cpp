#include "verdict.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox.hpp>

#include "groups.hpp"
#include "stand_ins.hpp"
#include "trial.hpp"

namespace syncspawn::tools {
namespace {

using sandbox::Guarantee;
using sandbox::Machine;
using sandbox::Policy;
using sandbox::PolicyError;
using sandbox::Problem;
using sandbox::Sandbox;

// Whoever launches for the policy has somebody for its doors.
void take_door(const sandbox::OpenDoor& /*door*/) {}

Sandbox plan(const Policy& policy, const Machine& machine, const StandIns& stand_ins) {
    return {policy, machine, stand_ins.bindings(),
            policy.doors.empty() ? sandbox::DoorReceiver() : take_door};
}

constexpr std::string_view offer = "name Guarantee::";

// It is told for all guarantees together.
void leave_out_offer(std::string& remedy) {
    const std::size_t at = remedy.find(offer);
    if (at != std::string::npos) {
        constexpr std::size_t link = std::string_view("; or ").size();
        remedy.erase(at < link ? 0 : at - link);
    }
}

// In the words of a policy's file, not of the library.
void put_offer_in_words(std::string& remedy, Guarantee guarantee) {
    constexpr std::string_view end = " in accept_weaker";
    const std::size_t at = remedy.find(offer);
    const std::size_t behind = remedy.find(end, at);
    if (at != std::string::npos && behind != std::string::npos) {
        remedy.replace(at, behind - at, "name \"" + std::string(name_of(guarantee)) + '"');
    }
}

// What would hold instead, if the policy accepted it.
void look_for_second_choice(Policy policy, const Machine& machine, const StandIns& stand_ins,
                            Verdict& verdict) {
    std::vector<Guarantee> weaker;
    for (const Problem& problem : verdict.problems) {
        if (problem.guarantee &&
            std::find(weaker.begin(), weaker.end(), *problem.guarantee) == weaker.end()) {
            weaker.push_back(*problem.guarantee);
        }
    }
    policy.accept_weaker.insert(policy.accept_weaker.end(), weaker.begin(), weaker.end());
    try {
        verdict.holdings = plan(policy, machine, stand_ins).explain().holdings;
        verdict.accept_weaker = std::move(weaker);
        for (Problem& problem : verdict.problems) {
            leave_out_offer(problem.remedy);
        }
    } catch (const PolicyError&) {
        // There is none. The problems that there are say so.
        for (Problem& problem : verdict.problems) {
            put_offer_in_words(problem.remedy, problem.guarantee.value_or(Guarantee::files));
        }
    }
}

// The policy may hide the program, which is nobody's fault.
bool is_about_the_program(const SpawnError& error) {
    return error.stage() == Stage::execve || error.stage() == Stage::working_directory;
}

Problem problem_of(const SpawnError& error) {
    Problem problem{
        .where = "launch", .what = error.what(), .remedy = error.hint(), .code = error.code()};
    return problem;
}

void judge_launch(const Sandbox& sandbox, Verdict& verdict) {
    SpawnOptions options{.program = "cat", .working_directory = "/"};
    options.streams = {.input = Stdio::pipe(), .output = Stdio::null(), .error = Stdio::null()};
    options.setup.within = longest_launch;
    SyncedSpawner spawner(std::move(options));
    sandbox.add_to(spawner);
    SpawnError error;
    Process program = spawner.spawn(error);
    if (error && is_about_the_program(error)) {
        verdict.launch.why_not = error.what();
        return;
    }
    if (error) {
        verdict.problems.push_back(problem_of(error));
        return;
    }
    verdict.launch.has_run = true;
    verdict.launch.enforcement = sandbox.enforcement(program);
    program.take_standard_input().reset();
    (void)program.wait();
    for (const sandbox::EnforcedGuarantee& one : verdict.launch.enforcement->guarantees) {
        if (one.reading == sandbox::Reading::refuted) {
            verdict.problems.push_back({.where = std::string(name_of(one.holding.guarantee)),
                                        .what = "was planned, but does not hold: " + one.evidence,
                                        .guarantee = one.holding.guarantee,
                                        .mechanism = one.holding.mechanism});
        }
    }
}

}  // namespace

std::string_view word_of(sandbox::Reading reading) noexcept {
    switch (reading) {
        case sandbox::Reading::confirmed:
            return "confirmed";
        case sandbox::Reading::refuted:
            return "refuted";
        case sandbox::Reading::unread:
            break;
    }
    return "unread";
}

Verdict judge(const Policy& policy, const Machine& machine) {
    Verdict verdict;
    const StandIns stand_ins(policy);
    try {
        const Sandbox sandbox = plan(policy, machine, stand_ins);
        verdict.holdings = sandbox.explain().holdings;
        judge_launch(sandbox, verdict);
    } catch (const PolicyError& error) {
        verdict.problems = error.problems();
        for (Problem& problem : verdict.problems) {
            leave_out_names_of_the_library(problem.remedy);
        }
        look_for_second_choice(policy, machine, stand_ins, verdict);
    }
    return verdict;
}

void explain_missing_controllers(Verdict& verdict, const FindingGroup& cgroups) {
    for (Problem& problem : verdict.problems) {
        for (const Finding& finding : cgroups.findings) {
            const std::string missing = "the controller " + finding.label + " is not there";
            if (!finding.is_there && problem.guarantee == Guarantee::limits &&
                problem.what.find(missing) != std::string::npos) {
                problem.what = "cannot be held whole here: " + finding.cause;
                problem.remedy =
                    finding.remedy + (problem.remedy.empty() ? "" : "; or ") + problem.remedy;
            }
        }
    }
}

}  // namespace syncspawn::tools
