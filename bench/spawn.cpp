// From the start of a launch until its program is reaped, over the memory of the parent.

#include "rounds.hpp"

namespace {

using syncspawn::bench::Ballast;
using syncspawn::bench::Options;
using syncspawn::bench::Plan;
using syncspawn::bench::Rounds;
using syncspawn::bench::Target;

constexpr double of_posix_spawn_with_hooks = 1.0;
constexpr double of_posix_spawn = 0.9;
// See Rounds::overhead.
constexpr double overhead_with_hooks = 1.0;
constexpr double overhead = 0.5;
constexpr double of_10_mib = 1.15;
constexpr double faster_than_fork = 500;

const std::string shared_hooks = "syncspawn_shared_hooks";

Plan plan_for(const Options& options) {
    return {
        .methods = {"syncspawn_shared", shared_hooks, "syncspawn_copied", "syncspawn_copied_hooks",
                    "vfork_execve", "posix_spawn", "fork_execve", "fork_execve_hooks"},
        .peers = {{"boost", {"boost"}},
                  {"libuv", {"libuv"}},
                  {"go", {"go", "go_user"}},
                  {"python", {"python"}}},
        .flat = shared_hooks,
        .rounds = options.is_quick ? 6 : 20,
        .least_samples = options.is_quick ? 7U : 15U};
}

std::vector<Ballast> ballasts_for(const Options& options) {
    if (options.is_quick) {
        return {{10, "small"},   {256, "small"}, {1024, "small"},
                {4096, "small"}, {10, "huge"},   {4096, "huge"}};
    }
    return syncspawn::bench::in_both_pages({10, 256, 1024, 4096, 8192});
}

std::vector<Target> targets_of(const Rounds& rounds, const std::vector<Ballast>& ballasts) {
    using Bound = Target::Bound;
    std::vector<Target> targets;
    for (const Ballast& ballast : ballasts) {
        const std::string where = ", " + in_words(ballast);
        const auto ratio = [&](const std::string& of, const std::string& to) {
            return rounds.ratio({of, ballast}, {to, ballast});
        };
        targets.push_back({"shared with hooks, of posix_spawn" + where,
                           ratio(shared_hooks, "posix_spawn"), Bound::at_most,
                           of_posix_spawn_with_hooks});
        targets.push_back({"shared, of posix_spawn" + where,
                           ratio("syncspawn_shared", "posix_spawn"), Bound::at_most,
                           of_posix_spawn});
        targets.push_back({"overhead, shared with hooks" + where,
                           rounds.overhead(shared_hooks, ballast), Bound::at_most,
                           overhead_with_hooks});
        targets.push_back({"overhead, shared" + where, rounds.overhead("syncspawn_shared", ballast),
                           Bound::at_most, overhead});
        if (ballast.mib == 4096) {
            const Ballast small{10, ballast.pages};
            const std::string beside = Rounds::beside(ballast.mib);
            targets.push_back({"shared with hooks, of itself at 10 MiB" + where,
                               rounds.ratio({shared_hooks, ballast}, {shared_hooks, small, beside}),
                               Bound::at_most, of_10_mib});
        }
        if (ballast.mib == 4096 && ballast.pages == "small") {
            targets.push_back({"fork and execve with hooks, of shared with hooks" + where,
                               ratio("fork_execve_hooks", shared_hooks), Bound::at_least,
                               faster_than_fork});
        }
    }
    return targets;
}

}  // namespace

int main(int argc, char** argv) {
    return syncspawn::bench::run({"spawn", plan_for, ballasts_for, targets_of}, argc, argv);
}
