#include <syncspawn/launcher/process.hpp>

#include <csignal>
#include <stdexcept>

#include "cancellation.hpp"
#include "process_state.hpp"

namespace syncspawn {

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

Process::~Process() {
    const detail::CancellationHeldBack held_back;
    if (state_ == nullptr || state_->child.status()) {
        return;
    }
    switch (state_->on_destruction) {
        case OnDestruction::kill:
            kill();
            break;
        case OnDestruction::terminate:
            terminate(state_->terminate_grace);
            break;
        case OnDestruction::wait:
            wait();
            break;
        case OnDestruction::release:
            break;
    }
}

Process::State& Process::state() const {
    if (state_ == nullptr) {
        throw std::logic_error("syncspawn::Process: there is no process");
    }
    return *state_;
}

pid_t Process::pid() const { return state().child.pid(); }
int Process::pidfd() const { return state().child.pidfd(); }

ExitStatus Process::wait() {
    const detail::CancellationHeldBack held_back;
    return state().child.reap();
}

std::optional<ExitStatus> Process::try_wait() { return wait_until(Deadline()); }

std::optional<ExitStatus> Process::wait_until(Deadline deadline) {
    const detail::CancellationHeldBack held_back;
    if (!state().child.wait_for_end(&deadline)) {
        return std::nullopt;
    }
    return state().child.reap();
}

void Process::signal(int signal) { state().child.send(signal); }

ExitStatus Process::terminate(std::chrono::nanoseconds grace) {
    const detail::CancellationHeldBack held_back;
    state().child.send_to_scope(SIGTERM);
    const Deadline deadline = detail::after(grace);
    state().child.wait_for_end(&deadline);
    return kill();  // also what a group has left once its leader has ended
}

ExitStatus Process::kill() {
    state().child.send_to_scope(SIGKILL);
    return wait();
}

pid_t Process::release() {
    UniqueFd closed;
    return release(closed);
}

pid_t Process::release(UniqueFd& pidfd) {
    const pid_t pid = state().child.pid();
    pidfd = state().child.take_pidfd();
    state_.reset();
    return pid;
}

Barrier& Process::barrier() {
    if (!state().barrier.is_open()) {
        throw std::logic_error("syncspawn::Process: the barrier was not handed over");
    }
    return state().barrier;
}

UniqueFd& Process::standard_input() { return state().streams[0]; }
UniqueFd& Process::standard_output() { return state().streams[1]; }
UniqueFd& Process::standard_error() { return state().streams[2]; }

StartMethod Process::start_method() const { return state().start_method; }

Timeline Process::timeline() const { return detail::timeline_of(state().trace); }

}  // namespace syncspawn
