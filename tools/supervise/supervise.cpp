#include "supervise.hpp"

#include <cerrno>
#include <system_error>
#include <utility>

#include "barrier/linux/time_left.hpp"
#include "barrier/linux/waiting.hpp"
#include "loop_client.hpp"
#include "supervisor.hpp"
#include "tools/report/observer.hpp"

namespace syncspawn::tools {
namespace {

std::optional<Deadline> earlier(const std::optional<Deadline>& one,
                                const std::optional<Deadline>& other) {
    return !one || (other && *other < *one) ? other : one;
}

}  // namespace

Outcome supervise(const SyncedSpawner& spawner, const Supervision& supervision,
                  const HeldSignals& signals, const Descendants& descendants) {
    // Their clock begins no later than the launch's own, so that no end has an earlier time than what it ends.
    for (Observer* const observer : supervision.observers) {
        observer->begins();
    }
    return Supervisor(spawner, supervision, signals, descendants).run();
}

Supervisor::Supervisor(const SyncedSpawner& spawner, const Supervision& supervision,
                       const HeldSignals& signals, const Descendants& descendants)
    : spawner_(spawner),
      how_(supervision),
      signals_(signals),
      descendants_(descendants),
      launch_(spawner.launch()),
      notice_(supervision.verbosity) {
    if (how_.pty != nullptr) {
        session_.emplace(*how_.pty);
    }
}

Outcome Supervisor::run() {
    launch();
    if (outcome_.error) {
        conclude_failure();
    } else {
        attend();
        conclude();
    }
    return std::move(outcome_);
}

// Our terminal is raw while the program has one of its own: not for what is written here.
void Supervisor::tell(const std::function<void(Observer&)>& what) {
    if (how_.observers.empty()) {
        return;
    }
    if (session_) {
        session_->leave();
    }
    for (Observer* const observer : how_.observers) {
        what(*observer);
    }
    if (session_) {
        session_->come_back();
    }
}

void Supervisor::launch() {
    while (!launch_.advance()) {
        tell([this](Observer& observer) { observer.goes_on(launch_); });
        look_at_the_launch();
        wait();
        serve_clients();
        take_signals();
        if (session_) {
            session_->advance();
        }
    }
    notice_.erase();
    process_ = launch_.take_process(outcome_.error);
}

void Supervisor::look_at_the_launch() {
    const bool may_run = !program_runs_ && spawner_.options().readiness.within;
    if (may_run && launch_.waits_for().stage == Stage::readiness) {
        note_that_the_program_runs();
    }
    if (has_passed(notice_.due())) {
        notice_.update(launch_.waits_for());
    }
    if (has_passed(times_out_at_)) {
        times_out_at_.reset();
        outcome_.ended_by = EndedBy::timeout;
        launch_.cancel();
    }
    if (session_ && session_->is_lost()) {
        launch_.cancel();
        session_->hang_up();
    }
}

void Supervisor::note_that_the_program_runs() {
    if (std::exchange(program_runs_, true)) {
        return;
    }
    if (how_.timeout) {
        times_out_at_ = detail::after(*how_.timeout);
    }
    if (session_) {
        signals_.hold_stop_key();
        session_->begin();
    }
}

void Supervisor::conclude_failure() {
    session_.reset();
    tell([this](Observer& observer) { observer.failed(outcome_.error); });
    // A hook may have left something, too.
    if (outcome_.error.program_may_have_run() || !outcome_.error.survivor()) {
        descendants_.kill_all();
    }
    signalfd_siginfo signal{};
    // The terminal's signal may have ended the child before it could cancel the launch here.
    if (HeldSignals::take(signals_.ending(), signal)) {
        outcome_.ended_by = EndedBy::a_signal;
        outcome_.signal = static_cast<int>(signal.ssi_signo);
    }
}

void Supervisor::wait() {
    watched_.clear();
    watched_.push_back(detail::readable(signals_.others()));
    std::optional<Deadline> until;
    if (!process_) {
        // The launch looks at those signals that end it itself.
        watched_.push_back(detail::readable(launch_.descriptor()));
        until = earlier(notice_.due(), times_out_at_);
    } else {
        watched_.push_back(detail::readable(signals_.ending()));
        // Without pidfds SIGCHLD tells of the end.
        watched_.push_back(detail::readable(has_ended_ ? -1 : process_.pidfd()));
        until = has_ended_ ? std::nullopt : earlier(times_out_at_, kills_at_);
    }
    watched_.push_back(detail::readable(session_ ? session_->descriptor() : -1));
    for (const LoopClient* const client : how_.clients) {
        watched_.push_back(detail::readable(client->descriptor()));
    }
    if (detail::wait_for_any_of(watched_, until ? &*until : nullptr) == detail::wait_failed) {
        throw std::system_error(errno, std::generic_category(), "poll");
    }
}

// They are the last ones in the list.
void Supervisor::serve_clients() {
    const std::size_t first = watched_.size() - how_.clients.size();
    for (std::size_t at = 0; at < how_.clients.size(); ++at) {
        if (watched_[first + at].revents != 0) {
            how_.clients[at]->advance();
        }
    }
}

void Supervisor::take_signals() {
    signalfd_siginfo signal{};
    while ((process_ && HeldSignals::take(signals_.ending(), signal)) ||
           HeldSignals::take(signals_.others(), signal)) {
        if (!process_ && session_ && signal.ssi_signo == SIGWINCH) {
            session_->resize();
        } else {
            arrived_.push_back(signal);
        }
    }
    if (process_) {
        for (const signalfd_siginfo& one : std::exchange(arrived_, {})) {
            deal_with(one);
        }
    }
}

}  // namespace syncspawn::tools
