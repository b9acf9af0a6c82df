#include "stop_actions.hpp"

#include <stdexcept>

#include "launcher/plan/checks.hpp"

namespace syncspawn::detail {

StopActions limited(StopActions actions) {
    check(actions);
    for (StopAction& action : actions) {
        if (action.signal == SIGKILL && !action.within) {
            action = kill_within_limit.front();
        }
        if (!action.within) {
            throw std::invalid_argument(
                "syncspawn: in RunOptions::stop, each wait must have a limit");
        }
    }
    if (actions.empty() || actions.back().signal != SIGKILL) {
        actions.push_back(kill_within_limit.front());
    }
    return actions;
}

}  // namespace syncspawn::detail
