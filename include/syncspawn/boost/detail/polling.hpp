#pragma once

#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution/executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/is_executor.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <type_traits>
#include <utility>

#include <syncspawn/boost/detail/waiter.hpp>

namespace syncspawn::for_boost::detail {

/// The one composed operation under all of ours. It lets its task look, waits for the descriptors that the
/// task names, and lets it look again until it is done. The task itself never blocks, so it does no harm to
/// be woken for nothing. The operation never completes inside the call that began it.
///
/// A composed operation moves, while Asio holds a pointer to what it waits on. That is why this is on the
/// heap.
///
/// A task has
///     void expects(auto& self)               sets which kinds of cancellation it takes
///     std::shared_ptr<Registry> registry()   the list on which its waiter belongs, or null
///     bool looks_done()                      goes on as far as it can; throws system_error
///     bool cancel()                          true: the operation ends now; false: the task ends by itself
///     bool is_cancelled()                    whether it was cancelled, but not by its cancellation slot
///     void watch(Waiter&)                    called before each wait; throws system_error
///     void complete(auto& self, error_code)  hands its result to the handler
template <class Executor, class Task>
class Polling {
public:
    Polling(Executor executor, Task task)
        : executor_(std::move(executor)), task_(std::make_unique<Task>(std::move(task))) {}

    template <class Self>
    void operator()(Self& self, error_code = {}) {
        if (!is_under_way_) {
            is_under_way_ = true;
            task_->expects(self);
            asio::post(Executor(executor_), std::move(self));
            return;
        }
        try {
            bool was_cancelled = false;
            do {
                was_cancelled = is_cancelled(self);
                if (was_cancelled && task_->cancel()) {
                    return complete(self, asio::error::operation_aborted);
                }
                if (task_->looks_done()) {
                    return complete(self, {});
                }
            } while (is_cancelled(self) != was_cancelled);  // by what it has called
            if (!waiter_) {
                waiter_ = std::make_unique<Waiter<Executor>>(executor_, task_->registry());
            }
            task_->watch(*waiter_);
        } catch (const boost::system::system_error& failure) {
            return complete(self, failure.code());
        }
        Waiter<Executor>& waiter = *waiter_;  // `self` takes this along
        waiter.async_wait(std::move(self));
    }

private:
    template <class Self>
    bool is_cancelled(Self& self) const {
        return self.cancelled() != asio::cancellation_type::none || task_->is_cancelled();
    }
    template <class Self>
    void complete(Self& self, error_code error) {
        // A rule of Asio: all that the operation owns is gone before the handler runs.
        waiter_.reset();
        const std::unique_ptr<Task> task = std::move(task_);
        task->complete(self, error);
    }

    Executor executor_;
    std::unique_ptr<Task> task_;
    std::unique_ptr<Waiter<Executor>> waiter_;
    bool is_under_way_ = false;
};

template <class Type>
concept IsContext = std::is_convertible_v<Type&, asio::execution_context&>;
template <class Type>
concept IsExecutor = asio::execution::is_executor<std::remove_cv_t<Type>>::value ||
    asio::is_executor<std::remove_cv_t<Type>>::value;

/// The executor of an execution context, or the executor itself.
auto executor_of(IsContext auto& context) { return context.get_executor(); }
auto executor_of(const IsExecutor auto& executor) { return executor; }

template <class ExecutorOrContext>
using ExecutorOf =
    decltype(executor_of(std::declval<std::remove_reference_t<ExecutorOrContext>&>()));

}  // namespace syncspawn::for_boost::detail
