#include "dry_run.hpp"

#include <algorithm>
#include <array>

#include "tools/messages.hpp"

namespace syncspawn::tools {
namespace {

using sandbox::Guarantee;

constexpr std::array guarantees{
    Guarantee::files,      Guarantee::network,      Guarantee::services, Guarantee::processes,
    Guarantee::privileges, Guarantee::system_calls, Guarantee::limits};

std::string holdings_of(const sandbox::Sandbox& sandbox) {
    const auto& holdings = sandbox.explain().holdings;
    std::string text = "What holds the policy:\n";
    for (const Guarantee guarantee : guarantees) {
        bool is_held = false;
        for (const sandbox::Holding& holding : holdings) {
            if (holding.guarantee == guarantee) {
                text += "  " + printable(holding.to_string()) + "\n";
                is_held = true;
            }
        }
        if (!is_held) {
            text += "  " + std::string(name_of(guarantee)) +
                    ": nothing, for the policy promises nothing\n";
        }
    }
    return text + "\n";
}

}  // namespace

std::string dry_run_of(const SyncedSpawner& spawner, const sandbox::Sandbox* sandbox,
                       const std::vector<std::string>& left_out) {
    std::string text = sandbox == nullptr ? "" : holdings_of(*sandbox);
    for (const std::string& what : left_out) {
        text += "Left out: " + printable(what) + "\n";
    }
    PlannedLaunch plan = spawner.explain();
    for (PlannedEvent& event : plan) {
        event = {.parent = printable(event.parent), .child = printable(event.child)};
    }
    return text + (left_out.empty() ? "" : "\n") + draw(plan);
}

}  // namespace syncspawn::tools
