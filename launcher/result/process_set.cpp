#include <syncspawn/launcher/process_set.hpp>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "barrier/linux/cancellation.hpp"
#include "barrier/linux/owned_descriptor.hpp"
#include "barrier/linux/waiting.hpp"

namespace syncspawn {
namespace {

constexpr std::uint64_t the_timer = 0;

[[noreturn]] void fail(const char* call) {
    throw std::system_error(errno, std::generic_category(),
                            std::string("syncspawn::ProcessSet: ") + call);
}

}  // namespace

// An epoll set of pidfds, and of a timer as long as there is a program without one.
class ProcessSet::Members {
public:
    [[nodiscard]] bool is_ours() const noexcept { return owner_ == getpid(); }
    [[nodiscard]] std::size_t size() const noexcept { return processes_.size(); }
    [[nodiscard]] int descriptor() const noexcept { return epoll_.get(); }

    void add(Process&& process);
    std::optional<Process> take(pid_t pid);
    // The first that has ended; none by then. No deadline: for ever.
    std::optional<Process> wait(const Deadline* deadline);

private:
    using Processes = std::map<std::uint64_t, Process>;  // by the number under which epoll knows it

    void watch(int fd, std::uint64_t number) const;
    void arm_timer(std::chrono::nanoseconds every);
    std::optional<Process> look();
    std::optional<Process> look_without_pidfds();
    Process move_out(Processes::iterator one);

    pid_t owner_ = getpid();
    UniqueFd epoll_ = detail::owned(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    UniqueFd timer_;
    Processes processes_;
    std::uint64_t last_number_ = the_timer;
    std::size_t without_pidfd_ = 0;
};

void ProcessSet::Members::watch(int fd, std::uint64_t number) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = number;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) {
        fail("epoll_ctl");
    }
}

void ProcessSet::Members::arm_timer(std::chrono::nanoseconds every) {
    if (!timer_) {
        UniqueFd timer = detail::owned(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
                                       "timerfd_create");
        watch(timer.get(), the_timer);
        timer_ = std::move(timer);
    }
    itimerspec time{};
    time.it_interval = time.it_value = detail::to_timespec(every);
    if (timerfd_settime(timer_.get(), 0, &time, nullptr) < 0) {
        fail("timerfd_settime");
    }
}

void ProcessSet::Members::add(Process&& process) {
    const std::uint64_t number = last_number_ + 1;
    const auto [place, is_new] = processes_.try_emplace(number);
    try {
        if (process.pidfd() >= 0) {
            watch(process.pidfd(), number);
        } else if (without_pidfd_ == 0) {
            arm_timer(detail::look_every);
        }
    } catch (...) {
        processes_.erase(place);
        throw;
    }
    without_pidfd_ += process.pidfd() < 0 ? 1U : 0U;
    last_number_ = number;
    place->second = std::move(process);
}

Process ProcessSet::Members::move_out(Processes::iterator one) {
    Process process = std::move(one->second);
    processes_.erase(one);
    if (process.pidfd() >= 0) {
        epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, process.pidfd(), nullptr);
    } else if (--without_pidfd_ == 0) {
        arm_timer({});
    }
    return process;
}

std::optional<Process> ProcessSet::Members::take(pid_t pid) {
    const auto one = std::find_if(processes_.begin(), processes_.end(),
                                  [pid](const auto& each) { return each.second.pid() == pid; });
    return one != processes_.end() ? std::optional(move_out(one)) : std::nullopt;
}

std::optional<Process> ProcessSet::Members::look_without_pidfds() {
    std::uint64_t times = 0;
    (void)!read(timer_.get(), &times, sizeof times);
    for (auto one = processes_.begin(); one != processes_.end(); ++one) {
        if (one->second.pidfd() < 0 && one->second.try_wait()) {
            return move_out(one);
        }
    }
    return std::nullopt;
}

// epoll takes turns among those that are ready: none is passed over for ever.
std::optional<Process> ProcessSet::Members::look() {
    for (;;) {
        epoll_event event{};
        const int ready = epoll_wait(epoll_.get(), &event, 1, 0);
        if (ready < 0 && errno != EINTR) {
            fail("epoll_wait");
        }
        if (ready == 0) {
            return std::nullopt;
        }
        const std::uint64_t number = event.data.u64;  // in there it is not aligned
        if (ready > 0 && number == the_timer) {
            if (auto ended = look_without_pidfds()) {
                return ended;
            }
        } else if (ready > 0) {
            const auto one = processes_.find(number);
            one->second.wait();
            return move_out(one);
        }
    }
}

std::optional<Process> ProcessSet::Members::wait(const Deadline* deadline) {
    for (;;) {
        if (auto ended = look()) {
            return ended;
        }
        const int woken = detail::wait_for_any(detail::readable(epoll_.get()), deadline);
        if (woken == detail::wait_failed) {
            fail("ppoll");
        }
        if (woken == detail::at_the_deadline) {
            return std::nullopt;
        }
    }
}

ProcessSet::ProcessSet() : members_(std::make_unique<Members>()) {}
ProcessSet::ProcessSet(ProcessSet&&) noexcept = default;
ProcessSet& ProcessSet::operator=(ProcessSet&&) noexcept = default;
ProcessSet::~ProcessSet() = default;

ProcessSet::Members& ProcessSet::members() const {
    if (members_ == nullptr) {
        throw std::logic_error("syncspawn::ProcessSet: it was moved from");
    }
    if (!members_->is_ours()) {
        throw std::logic_error(
            "syncspawn::ProcessSet: its programs are no children of this process, which is a copy "
            "of "
            "the one that launched them");
    }
    return *members_;
}

void ProcessSet::add(Process&& process) {
    const detail::CancellationHeldBack held_back;
    Members& here = members();
    (void)process.own_state();  // none, or another's: std::logic_error
    here.add(std::move(process));
}

std::size_t ProcessSet::size() const noexcept { return members_ != nullptr ? members_->size() : 0; }

Process ProcessSet::wait_any() {
    const detail::CancellationHeldBack held_back;
    if (members().size() == 0) {
        throw std::logic_error("syncspawn::ProcessSet: there is nothing to wait for");
    }
    return *members().wait(nullptr);
}

std::optional<Process> ProcessSet::wait_any_until(Deadline deadline) {
    const detail::CancellationHeldBack held_back;
    return members().size() == 0 ? std::nullopt : members().wait(&deadline);
}

std::optional<Process> ProcessSet::wait_any_for(std::chrono::nanoseconds time) {
    return wait_any_until(detail::after(time));
}

std::optional<Process> ProcessSet::try_any() { return wait_any_until(Deadline()); }

std::optional<Process> ProcessSet::take(pid_t pid) { return members().take(pid); }

int ProcessSet::descriptor() const { return members().descriptor(); }

}  // namespace syncspawn
