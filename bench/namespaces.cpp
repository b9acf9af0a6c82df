// Launches into a user namespace whose id maps the parent writes while the child waits, and into all
// namespaces at once, over the memory of the parent.

#include "rounds.hpp"

namespace {

using syncspawn::bench::Ballast;
using syncspawn::bench::Options;
using syncspawn::bench::Plan;
using syncspawn::bench::Rounds;
using syncspawn::bench::Target;

constexpr double faster_than_go = 300;
constexpr double of_posix_spawn = 1.4;
// See Rounds::overhead.
constexpr double overhead = 2.2;
constexpr double overhead_beyond_the_namespace = 1.0;

const std::string shared_user = "syncspawn_shared_user";
// The namespace and its maps, and nothing else.
const std::string bare_user = "clone_user";

Plan plan_for(const Options& options) {
    return {.methods = {shared_user, bare_user, "syncspawn_copied_user", "fork_user",
                        "syncspawn_shared_all", "syncspawn_copied_all", "fork_all", "vfork_execve",
                        "posix_spawn"},
            .peers = {{"go", {"go_user", "go_all"}}},
            .flat = shared_user,
            .rounds = options.is_quick ? 24 : 80,
            .least_samples = options.is_quick ? 7U : 15U};
}

std::vector<Ballast> ballasts_for(const Options& options) {
    if (options.is_quick) {
        return {{10, "small"}, {4096, "small"}};
    }
    return syncspawn::bench::in_both_pages({10, 256, 1024, 4096});
}

std::vector<Target> targets_of(const Rounds& rounds, const std::vector<Ballast>& ballasts) {
    using Bound = Target::Bound;
    std::vector<Target> targets;
    for (const Ballast& ballast : ballasts) {
        const std::string where = ", " + in_words(ballast);
        targets.push_back({"shared, user namespace, of posix_spawn without" + where,
                           rounds.ratio({shared_user, ballast}, {"posix_spawn", ballast}),
                           Bound::at_most, of_posix_spawn});
        targets.push_back({"overhead, shared, user namespace" + where,
                           rounds.overhead(shared_user, ballast), Bound::at_most, overhead});
        targets.push_back({"overhead, shared, beyond a bare user namespace" + where,
                           rounds.overhead(shared_user, ballast, bare_user), Bound::at_most,
                           overhead_beyond_the_namespace});
        if (ballast.mib == 4096 && ballast.pages == "small") {
            targets.push_back({"Go with UidMappings, of shared, user namespace" + where,
                               rounds.ratio({"go_user", ballast}, {shared_user, ballast}),
                               Bound::at_least, faster_than_go});
        }
    }
    return targets;
}

}  // namespace

int main(int argc, char** argv) {
    return syncspawn::bench::run({"namespaces", plan_for, ballasts_for, targets_of}, argc, argv);
}
