#pragma once

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/query.hpp>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/boost/version.hpp>

namespace syncspawn::for_boost::detail {

/// What one operation waits on: descriptors and a deadline, in an epoll set (epoll(7)) of its own. Asio
/// sees the set alone: on what is in it, it would set O_NONBLOCK (up to Boost 1.85), which belongs to the
/// open file and so to the child, too.
template <class Executor>
class Waiter {
public:
    using Descriptor = asio::posix::basic_stream_descriptor<Executor>;

    /// All waiters of one object, which cancels and wakes them.
    using Registry = std::vector<Waiter*>;

    /// Throws system_error: EMFILE, ENFILE, ENOMEM.
    Waiter(const Executor& executor, std::shared_ptr<Registry> registry)
        : descriptor_(executor), registry_(std::move(registry)) {
        UniqueFd set(epoll_create1(EPOLL_CLOEXEC));
        if (!set) {
            throw_errno("epoll_create1");
        }
        descriptor_.assign(set.get());
        (void)set.release();
        if (registry_) {
            registry_->push_back(this);
        }
    }
    ~Waiter() {
        if (registry_) {
            std::erase(*registry_, this);
        }
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    /// Waits for these events (EPOLLIN ...; a hang-up is always one), until replaced. -1: none.
    void watch(int fd, std::uint32_t events) {
        epoll_event wanted{};
        wanted.events = events;
        if (fd >= 0 && epoll_ctl(descriptor_.native_handle(), EPOLL_CTL_ADD, fd, &wanted) < 0 &&
            (errno != EEXIST ||
             epoll_ctl(descriptor_.native_handle(), EPOLL_CTL_MOD, fd, &wanted) < 0)) {
            throw_errno("epoll_ctl");
        }
    }
    /// Waits for what a barrier needs now, and no more for what it needed before.
    void watch_only(const BarrierEvents& wanted) {
        for (const pollfd& entry : watched_) {
            if (!contains(wanted, entry)) {
                epoll_ctl(descriptor_.native_handle(), EPOLL_CTL_DEL, entry.fd, nullptr);
            }
        }
        for (const pollfd& entry : wanted) {
            if (!contains(watched_, entry)) {
                static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT);
                watch(entry.fd, static_cast<std::uint32_t>(entry.events));
            }
        }
        watched_ = wanted;
    }
    /// Once. Nothing happens without one.
    void watch(const std::optional<Deadline>& deadline) {
        if (!deadline) {
            return;
        }
        timer_.reset(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
        itimerspec time{};
        constexpr std::int64_t per_second = 1'000'000'000;
        const auto count = std::max<std::int64_t>(deadline->time_since_epoch().count(), 1);
        time.it_value = {static_cast<time_t>(count / per_second),
                         static_cast<long>(count % per_second)};
        if (!timer_ || timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &time, nullptr) < 0) {
            throw_errno("timerfd");
        }
        watch(timer_.get(), EPOLLIN);
    }

    /// That of the descriptor, whose services exist by now.
    [[nodiscard]] asio::execution_context& context() {
        auto executor = descriptor_.get_executor();
        if constexpr (requires { asio::query(executor, asio::execution::context); }) {
            return asio::query(executor, asio::execution::context);
        } else {
            return executor.context();
        }
    }

    template <class Handler>
    void async_wait(Handler&& handler) {
        descriptor_.async_wait(Descriptor::wait_read, std::forward<Handler>(handler));
    }
    /// The wait ends with operation_aborted.
    void wake() {
        error_code ignored;  // it is open
        descriptor_.cancel(ignored);
    }

private:
    static bool contains(const BarrierEvents& events, const pollfd& wanted) {
        return std::any_of(events.begin(), events.end(),
                           [&](const pollfd& entry) { return entry.fd == wanted.fd; });
    }
    [[noreturn]] static void throw_errno(const char* call) {
        throw boost::system::system_error(errno, boost::system::system_category(), call);
    }

    Descriptor descriptor_;
    UniqueFd timer_;
    BarrierEvents watched_;
    std::shared_ptr<Registry> registry_;
};

}  // namespace syncspawn::for_boost::detail
