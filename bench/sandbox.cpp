// Sandboxed launches: ours, bubblewrap's and bare system calls.

#include <utility>

#include "rounds.hpp"

namespace {

using syncspawn::bench::Ballast;
using syncspawn::bench::Options;
using syncspawn::bench::Plan;
using syncspawn::bench::Rounds;
using syncspawn::bench::Row;
using syncspawn::bench::Target;

constexpr double of_bare = 1.15;
constexpr double policy_of_bare = 1.25;
constexpr double faster_than_bubblewrap = 2.5;
// The aim is 1.1, which nobody reaches here: docs/performance.md.
constexpr double landlock_of_posix_spawn = 1.5;
// The aim is 5.
constexpr double faster_with_many_mounts = 4;
constexpr double of_half_as_many = 2.6;  // 2 is linear, 4 would be quadratic
constexpr double of_10_mib = 1.15;

Plan plan_for(const Options& options) {
    return {.worker = "sandbox",
            .methods = {"posix_spawn", "sandbox_all", "sandbox_all_first", "bare_all",
                        "bare_all_first", "bwrap_all", "bwrap_all_first", "sandbox_policy",
                        "sandbox_policy_planned", "sandbox_landlock"},
            .flat = "sandbox_all",
            .rounds = options.is_quick ? 40 : 150,
            .least_samples = options.is_quick ? 7U : 15U};
}

Plan many_mounts_plan_for(const Options& options) {
    Plan plan{.worker = "sandbox",
              .rounds = options.is_quick ? 15 : 40,
              .least_samples = options.is_quick ? 3U : 9U};
    for (const char* of : {"mounts_", "binds_"}) {
        for (const char* count : {"250", "500", "1000"}) {
            plan.methods.push_back(std::string("sandbox_") + of + count);
        }
        plan.methods.push_back(std::string("bwrap_") + of + "500");
    }
    return plan;
}

std::vector<Target> targets_of(const Rounds& rounds, const std::vector<Ballast>& ballasts) {
    using Bound = Target::Bound;
    std::vector<Target> targets;
    for (const Ballast& ballast : ballasts) {
        const std::string where = ", " + in_words(ballast);
        const auto ratio = [&](const std::string& of, const std::string& to) {
            return rounds.ratio({of, ballast}, {to, ballast});
        };
        for (const std::string first : {"", "_first"}) {
            const std::string what =
                first.empty() ? "all unshared" : "all unshared, without a reaper";
            targets.push_back({what + ", of the bare calls" + where,
                               ratio("sandbox_all" + first, "bare_all" + first), Bound::at_most,
                               of_bare});
            targets.push_back({"bubblewrap, of " + what + where,
                               ratio("bwrap_all" + first, "sandbox_all" + first), Bound::at_least,
                               faster_than_bubblewrap});
        }
        targets.push_back({"default policy, of the bare calls" + where,
                           ratio("sandbox_policy", "bare_all"), Bound::at_most, policy_of_bare});
        targets.push_back({"Landlock and seccomp, of posix_spawn without" + where,
                           ratio("sandbox_landlock", "posix_spawn"), Bound::at_most,
                           landlock_of_posix_spawn});
        if (ballast.mib == 4096) {
            const Ballast small{10, ballast.pages};
            targets.push_back({"all unshared, of itself at 10 MiB" + where,
                               rounds.ratio({"sandbox_all", ballast},
                                            {"sandbox_all", small, Rounds::beside(ballast.mib)}),
                               Bound::at_most, of_10_mib});
        }
    }
    return targets;
}

std::vector<Target> targets_of_many_mounts(const Rounds& rounds) {
    using Bound = Target::Bound;
    std::vector<Target> targets;
    const Ballast ballast;
    for (const auto& [of, words] :
         {std::pair("mounts_", " mounts below the root"), {"binds_", " binds of its own"}}) {
        const std::string ours = std::string("sandbox_") + of;
        targets.push_back(
            {std::string("bubblewrap, of ours, 500") + words,
             rounds.ratio({std::string("bwrap_") + of + "500", ballast}, {ours + "500", ballast}),
             Bound::at_least, faster_with_many_mounts});
        targets.push_back({std::string("500 of 250") + words,
                           rounds.ratio({ours + "500", ballast}, {ours + "250", ballast}),
                           Bound::at_most, of_half_as_many});
        targets.push_back({std::string("1000 of 500") + words,
                           rounds.ratio({ours + "1000", ballast}, {ours + "500", ballast}),
                           Bound::at_most, of_half_as_many});
    }
    return targets;
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = syncspawn::bench::options_of(argc, argv);
    const std::vector<Ballast> ballasts{{10, "small"}, {4096, "small"}};
    Rounds rounds(plan_for(options));
    for (const Ballast& ballast : ballasts) {
        rounds.measure(ballast);
    }
    Rounds many_mounts(many_mounts_plan_for(options));
    many_mounts.measure({});

    std::vector<Row> rows = rounds.rows();
    std::vector<Target> targets = targets_of(rounds, ballasts);
    for (Row& row : many_mounts.rows()) {
        rows.push_back(std::move(row));
    }
    for (Target& target : targets_of_many_mounts(many_mounts)) {
        targets.push_back(std::move(target));
    }
    return finish(options, "sandbox", rows, targets);
}
