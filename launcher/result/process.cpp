#include <syncspawn/launcher/process.hpp>

#include <array>
#include <csignal>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "barrier/linux/cancellation.hpp"
#include "barrier/linux/time_left.hpp"
#include "launcher/plan/checks.hpp"
#include "process_state.hpp"

namespace syncspawn {
namespace {

constexpr const char* self = "syncspawn::Process";

void require_no_error(int error, const std::string& what) {
    if (error != 0) {
        throw std::system_error(error, std::generic_category(), "syncspawn::Process: " + what);
    }
}

ExitStatus reap(Process::State& state) {
    const ExitStatus status = state.child.reap();
    state.after_end.run(state.child.pid());
    return status;
}

std::optional<ExitStatus> stop_program(Process::State& state, std::span<const StopAction> actions) {
    const detail::CancellationHeldBack held_back;
    require_no_error(state.child.stop(actions), "cannot end the program, which still runs");
    return state.child.status() ? std::optional(reap(state)) : std::nullopt;
}

}  // namespace

Process::Process() noexcept = default;
Process::Process(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Process::Process(Process&&) noexcept = default;

Process& Process::operator=(Process&& other) noexcept {
    if (this != &other) {
        Process old(std::move(*this));
        state_ = std::move(other.state_);
    }
    return *this;
}

// No error can be told from here: a program that may not be signalled is left alone.
Process::~Process() {
    const detail::CancellationHeldBack held_back;
    if (state_ == nullptr || state_->child.status() || !state_->child.is_ours()) {
        return;
    }
    (void)state_->child.stop(*state_->stop);
    // Also where there was no action, so that nobody has looked.
    constexpr auto at_once = Deadline::min();
    try {
        if (state_->child.wait_for_end(&at_once)) {
            (void)reap(*state_);
        }
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): there is nobody to tell
    }
}

Process::State& Process::state() const {
    if (state_ == nullptr) {
        throw std::logic_error("syncspawn::Process: there is no process");
    }
    return *state_;
}

// What only the process that launched may do.
Process::State& Process::own_state() const {
    if (!state().child.is_ours()) {
        throw std::logic_error(
            "syncspawn::Process: the program is not a child of this process, which is a copy of "
            "the "
            "one that launched it");
    }
    return state();
}

detail::ChildHandle& Process::child() const { return own_state().child; }

pid_t Process::pid() const { return state().child.pid(); }
int Process::pidfd() const { return state().child.pidfd(); }

ExitStatus Process::wait() {
    const detail::CancellationHeldBack held_back;
    return reap(own_state());
}

std::optional<ExitStatus> Process::try_wait() { return wait_until(Deadline()); }

std::optional<ExitStatus> Process::wait_until(Deadline deadline) {
    const detail::CancellationHeldBack held_back;
    State& state = own_state();
    if (!state.child.wait_for_end(&deadline)) {
        return std::nullopt;
    }
    return reap(state);
}

std::optional<ExitStatus> Process::wait_for(std::chrono::nanoseconds time) {
    return wait_until(detail::after(time));
}

void Process::signal(int signal) {
    require_no_error(own_state().child.send(signal), "cannot send " + signal_name(signal));
}

void Process::signal(int signal, std::error_code& error) {
    error.assign(own_state().child.send(signal), std::generic_category());
}

std::optional<ExitStatus> Process::stop(const StopActions& actions) {
    detail::check(actions);
    // An empty list looks for the end, too.
    return actions.empty() ? try_wait() : stop_program(own_state(), actions);
}

ExitStatus Process::terminate(std::chrono::nanoseconds grace) {
    const std::array actions{Stop::terminate(grace), Stop::kill()};
    return stop_program(own_state(), actions).value_or(ExitStatus::unknown());
}

ExitStatus Process::kill() {
    const std::array actions{Stop::kill()};
    return stop_program(own_state(), actions).value_or(ExitStatus::unknown());
}

pid_t Process::release() {
    UniqueFd closed;
    return release(closed);
}

pid_t Process::release(UniqueFd& pidfd) {
    const pid_t pid = own_state().child.pid();
    pidfd = state().child.take_pidfd();
    state_.reset();
    return pid;
}

Barrier& Process::barrier() {
    std::optional<Barrier>& barrier = state().barrier;
    if (!barrier || !barrier->is_open()) {
        throw std::logic_error(std::string("syncspawn::Process: the barrier was ") +
                               (barrier ? "moved out" : "not handed over"));
    }
    return *barrier;
}

Barrier Process::take_barrier() { return std::move(barrier()); }

int Process::standard_input() const { return state().streams.get(0); }
int Process::standard_output() const { return state().streams.get(1); }
int Process::standard_error() const { return state().streams.get(2); }
UniqueFd Process::take_standard_input() { return state().streams.take(0, self); }
UniqueFd Process::take_standard_output() { return state().streams.take(1, self); }
UniqueFd Process::take_standard_error() { return state().streams.take(2, self); }

StartMethod Process::start_method() const { return state().start_method; }

const std::string& Process::after_end_failures() const { return state().after_end.failures(); }

const std::optional<ResourceUsage>& Process::usage() const { return state().child.usage(); }

Timeline Process::timeline() const { return detail::timeline_of(state().trace); }

}  // namespace syncspawn
