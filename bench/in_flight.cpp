// 64 launches in flight on one event loop of Asio: the time until it has seen the end of all of them.

#include "rounds.hpp"

namespace {

using syncspawn::bench::Ballast;
using syncspawn::bench::Options;
using syncspawn::bench::Plan;
using syncspawn::bench::Rounds;
using syncspawn::bench::Target;

constexpr double faster = 1.5;

Plan plan_for(const Options& options) {
    return {.methods = {"posix_spawn"},
            .peers = {{"asio", {"stock_64", "synced_launcher_64", "async_spawn_64"}}},
            .flat = "",
            .rounds = options.is_quick ? 5 : 20,
            .least_samples = options.is_quick ? 3U : 7U};
}

std::vector<Ballast> ballasts_for(const Options&) { return {{10, "small"}}; }

std::vector<Target> targets_of(const Rounds& rounds, const std::vector<Ballast>& ballasts) {
    std::vector<Target> targets;
    const Ballast& ballast = ballasts.front();
    for (const std::string ours : {"synced_launcher_64", "async_spawn_64"}) {
        targets.push_back({"stock_64, of " + ours + ", " + in_words(ballast),
                           rounds.ratio({"stock_64", ballast}, {ours, ballast}),
                           Target::Bound::at_least, faster});
    }
    return targets;
}

}  // namespace

int main(int argc, char** argv) {
    return syncspawn::bench::run({"in_flight", plan_for, ballasts_for, targets_of}, argc, argv);
}
