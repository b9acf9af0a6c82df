// A launch from an event loop of Asio, from its start until the loop has seen the end.

#include "rounds.hpp"

namespace {

using syncspawn::bench::Ballast;
using syncspawn::bench::Options;
using syncspawn::bench::Plan;
using syncspawn::bench::Rounds;
using syncspawn::bench::Target;

constexpr double faster_at_10_mib = 1.5;
constexpr double faster_at_4_gib = 200;

Plan plan_for(const Options& options) {
    return {.methods = {"posix_spawn"},
            .peers = {{"asio", {"stock", "synced_launcher", "async_spawn"}}},
            .flat = "",
            .rounds = options.is_quick ? 5 : 20,
            .least_samples = options.is_quick ? 3U : 7U};
}

std::vector<Ballast> ballasts_for(const Options&) { return {{10, "small"}, {4096, "small"}}; }

std::vector<Target> targets_of(const Rounds& rounds, const std::vector<Ballast>& ballasts) {
    std::vector<Target> targets;
    for (const Ballast& ballast : ballasts) {
        const double faster = ballast.mib == 4096 ? faster_at_4_gib : faster_at_10_mib;
        for (const std::string ours : {"synced_launcher", "async_spawn"}) {
            targets.push_back({"stock, of " + ours + ", " + in_words(ballast),
                               rounds.ratio({"stock", ballast}, {ours, ballast}),
                               Target::Bound::at_least, faster});
        }
    }
    return targets;
}

}  // namespace

int main(int argc, char** argv) {
    return syncspawn::bench::run({"asio", plan_for, ballasts_for, targets_of}, argc, argv);
}
