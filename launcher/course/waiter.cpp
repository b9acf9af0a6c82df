#include "waiter.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

namespace syncspawn::detail {

using std::chrono::steady_clock;

void Waiter::open() {
    if (cancel_when_readable_ >= 0 && fcntl(cancel_when_readable_, F_GETFD) < 0) {
        throw std::system_error(
            errno, std::generic_category(),
            "descriptor " + std::to_string(cancel_when_readable_) + " that cancels");
    }
    if (manner_ == Manner::looks) {
        watch_.emplace();
    }
}

Waiter::Woken Waiter::wait_for(const Events& events, const std::optional<Deadline>& deadline) {
    const Deadline* const until = deadline ? &*deadline : nullptr;
    const Deadline now{};
    const int ready = wait_for_any(events, sleeps() ? until : &now);
    if (ready == wait_failed) {
        error_ = errno;
        return Woken::failure;
    }
    if (ready == at_the_deadline) {
        if (sleeps() || (until != nullptr && steady_clock::now() >= *until)) {
            return Woken::deadline;
        }
        watch_->set(events, until);
        return Woken::nothing;
    }
    which_ = ready - 1;
    const bool is_last = ready + 1 == static_cast<int>(events.list().size());
    return ready == 0 ? Woken::cancelled : is_last ? Woken::child_ended : Woken::event;
}

void Waiter::let_go() noexcept {
    if (watch_) {
        watch_->set({}, nullptr);
    }
}

Waiter::Woken Waiter::wait_for_end(const ChildHandle& child,
                                   const std::optional<Deadline>& deadline) {
    if (sleeps()) {
        return child.wait_for_end(deadline ? &*deadline : nullptr) ? Woken::child_ended
                                                                   : Woken::deadline;
    }
    const Deadline past{};
    if (child.wait_for_end(&past)) {
        return Woken::child_ended;
    }
    const Deadline now = steady_clock::now();
    if (deadline && now >= *deadline) {
        return Woken::deadline;
    }
    // Without pidfds (before Linux 5.3) nothing tells of the end.
    const Deadline look = child.pidfd() < 0 ? now + look_every : Deadline::max();
    const Deadline next = std::min(look, deadline.value_or(Deadline::max()));
    watch_->set({readable(child.pidfd())}, next < Deadline::max() ? &next : nullptr);
    return Woken::nothing;
}

void Waiter::call_again_now() noexcept {
    if (watch_) {
        const Deadline now = steady_clock::now();
        watch_->set({}, &now);
    }
}

bool Waiter::is_cancelled() const {
    const Deadline now{};
    return cancel_when_readable_ >= 0 && wait_for_any({readable(cancel_when_readable_)}, &now) == 0;
}

}  // namespace syncspawn::detail
