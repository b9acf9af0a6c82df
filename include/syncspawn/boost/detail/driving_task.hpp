#pragma once

#include <boost/asio/cancellation_type.hpp>
#include <memory>
#include <utility>

#include <syncspawn/boost/detail/under_way.hpp>
#include <syncspawn/boost/detail/waiter.hpp>

namespace syncspawn::for_boost::detail {

/// What the tasks (see Polling) of async_spawn and async_run have in common. Each drives its work, a launch or a
/// run. From its first wait on, the execution context has that on a list.
template <class Executor, class Work>
class DrivingTask {
public:
    template <class Self>
    void expects(Self& self) {
        self.reset_cancellation_state(asio::enable_partial_cancellation());
    }
    static std::shared_ptr<typename Waiter<Executor>::Registry> registry() { return nullptr; }
    static bool is_cancelled() { return false; }
    bool cancel() {
        if (!std::exchange(was_cancelled_, true)) {
            work_.cancel();
        }
        return false;  // the programs have to end first
    }
    bool looks_done() { return work_.advance(); }
    void watch(Waiter<Executor>& waiter) {
        if (!listed_) {
            waiter.watch(work_.descriptor(), EPOLLIN);  // the same until it is over
            listed_ = std::make_unique<Listed<Work>>(waiter.context(), work_);
        }
    }

protected:
    explicit DrivingTask(Work work) : work_(std::move(work)) {}

    /// It is not waited for any more.
    [[nodiscard]] Work take_work() {
        listed_.reset();
        return std::move(work_);
    }
    /// By its cancellation slot; it may have been too late.
    [[nodiscard]] bool was_cancelled() const noexcept { return was_cancelled_; }

private:
    Work work_;
    std::unique_ptr<Listed<Work>> listed_;
    bool was_cancelled_ = false;
};

}  // namespace syncspawn::for_boost::detail
