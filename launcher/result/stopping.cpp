#include "stopping.hpp"

#include <chrono>
#include <csignal>

#include "barrier/linux/time_left.hpp"
#include "program_state.hpp"

namespace syncspawn::detail {
namespace {

// The kernel drops what the first process of a pid namespace neither handles nor blocks. The rest of its
// group may heed the signal, though.
bool is_deaf_to_all(const ChildHandle& child, int signal) noexcept {
    return signal != SIGKILL && child.scope() == KillScope::process &&
           is_deaf_to(child.pid(), signal);
}

}  // namespace

bool Stopping::advance(const ChildHandle& child) {
    has_ended_ = has_ended_ || child.status();
    for (;;) {
        if (is_under_way_) {
            const Deadline past{};
            has_ended_ = child.wait_for_end(&past);
            if (!has_ended_ && (!deadline_ || std::chrono::steady_clock::now() < *deadline_)) {
                return false;
            }
            is_under_way_ = false;
        }
        if (next_ == actions_.size()) {
            return true;
        }
        const StopAction& action = actions_[next_++];
        // Of what a group or a cgroup has left once the program has ended, nobody is asked to end.
        if (!has_ended_ || action.signal == SIGKILL) {
            begin(action, child);
        }
    }
}

void Stopping::begin(const StopAction& action, const ChildHandle& child) {
    is_under_way_ = true;
    if (action.signal != 0 && !ask_to_end(action.signal, child)) {
        deadline_ = Deadline();
    } else if (action.within) {
        deadline_ = after(*action.within);
    } else {
        deadline_.reset();
    }
}

// Whether waiting for what comes of it makes sense.
bool Stopping::ask_to_end(int signal, const ChildHandle& child) noexcept {
    const bool was_deaf = is_deaf_to_all(child, signal);
    error_ = child.send_to_scope(signal);
    if (signal != SIGKILL) {
        (void)child.send_to_scope(SIGCONT);  // one that is stopped acts on it only when it goes on
    }
    // Asked again: it may have come to listen just before the signal.
    return error_ == 0 && !(was_deaf && is_deaf_to_all(child, signal));
}

}  // namespace syncspawn::detail
