#pragma once

#include <concepts>
#include <optional>

#include "barrier/linux/waiting.hpp"
#include "launcher/readiness/captured_output.hpp"
#include "launcher/readiness/meeting.hpp"
#include "launcher/result/child_handle.hpp"
#include "launcher/result/watch.hpp"

namespace syncspawn::detail {

// How the parent's side of a launch waits. For spawn() it sleeps; for a Launch it looks, and what it would
// sleep for it leaves to somebody's event loop.
class Waiter {
public:
    enum class Manner { sleeps, looks };
    // What ended a wait.
    enum class Woken {
        event,        // which(): the first that has come
        child_ended,  // and none of the events
        cancelled,    // cancel_when_readable
        deadline,
        failure,  // error()
        nothing   // not over: the loop will tell
    };

    Waiter(Manner manner, int cancel_when_readable) noexcept
        : manner_(manner), cancel_when_readable_(cancel_when_readable) {}

    // Before the child. Throws std::system_error.
    void open();
    // Each wait is for its end, too. Borrowed; -1 before Linux 5.3.
    void watch_child(int pidfd) noexcept { pidfd_ = pidfd; }
    // The loop has nothing to wait for any more.
    void close() noexcept { watch_.reset(); }

    [[nodiscard]] Manner manner() const noexcept { return manner_; }
    [[nodiscard]] bool sleeps() const noexcept { return manner_ == Manner::sleeps; }
    // There is nothing but the other side to wait for, so that the barrier may do it.
    [[nodiscard]] bool may_leave_it_to_the_barrier() const noexcept {
        return sleeps() && cancel_when_readable_ < 0;
    }
    [[nodiscard]] int descriptor() const noexcept { return watch_ ? watch_->descriptor() : -1; }
    [[nodiscard]] int which() const noexcept { return which_; }
    [[nodiscard]] int error() const noexcept { return error_; }

    template <std::same_as<pollfd>... Event>
    Woken wait(const std::optional<Deadline>& deadline, Event... events) {
        return wait_for({readable(cancel_when_readable_), events..., readable(pidfd_)}, deadline);
    }
    Woken wait(const std::optional<Deadline>& deadline, const Polled& polled) {
        return wait(deadline, polled[0], polled[1], polled[2], polled[3]);
    }
    Woken wait(const std::optional<Deadline>& deadline, const Polled& polled,
               const CapturedOutput::Polled& output) {
        return wait(deadline, polled[0], polled[1], polled[2], polled[3], output[0], output[1]);
    }
    // Does not even look, but lets the loop come again. Manner::looks only.
    template <std::same_as<pollfd>... Event>
    void leave_to_the_loop(const std::optional<Deadline>& deadline, Event... events) {
        watch_->set({readable(cancel_when_readable_), events..., readable(pidfd_)},
                    deadline ? &*deadline : nullptr);
    }
    // Before somebody may close what the loop waits for.
    void let_go() noexcept;
    // `child_ended`, `deadline` or `nothing`, be it cancelled or not.
    Woken wait_for_end(const ChildHandle& child, const std::optional<Deadline>& deadline);
    // There is something to do.
    void call_again_now() noexcept;

    [[nodiscard]] bool is_cancelled() const;

private:
    Woken wait_for(const Events& events, const std::optional<Deadline>& deadline);

    Manner manner_;
    int cancel_when_readable_;
    int pidfd_ = -1;
    std::optional<Watch> watch_;  // with Manner::looks
    int which_ = 0;
    int error_ = 0;
};

}  // namespace syncspawn::detail
