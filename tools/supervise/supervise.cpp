#include "supervise.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>
#include <utility>

#include "barrier/linux/time_left.hpp"
#include "barrier/linux/waiting.hpp"
#include "loop_client.hpp"
#include "supervisor.hpp"
#include "tools/messages.hpp"
#include "tools/report/observer.hpp"

namespace syncspawn::tools {
namespace {

bool has_passed(const std::optional<Deadline>& deadline) {
    return deadline && std::chrono::steady_clock::now() >= *deadline;
}

std::optional<Deadline> earlier(const std::optional<Deadline>& one,
                                const std::optional<Deadline>& other) {
    return !one || (other && *other < *one) ? other : one;
}

}  // namespace

Outcome supervise(const SyncedSpawner& spawner, const Supervision& supervision,
                  const HeldSignals& signals, const Descendants& descendants) {
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
template <class Tell>
void Supervisor::tell(Tell what) {
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
    if (outcome_.error.program_may_have_run()) {
        descendants_.kill_all();
    }
    signalfd_siginfo signal{};
    // The terminal's signal may have ended the child before it could cancel the launch here.
    if (HeldSignals::take(signals_.ending(), signal)) {
        outcome_.ended_by = EndedBy::a_signal;
        outcome_.signal = static_cast<int>(signal.ssi_signo);
    }
}

void Supervisor::attend() {
    tell([this](Observer& observer) { observer.runs(process_); });
    note_that_the_program_runs();
    if (session_) {
        session_->launch_is_over();
    } else {
        signals_.hold_stops();
    }
    job_.emplace(process_, session_ ? &*session_ : nullptr);
    for (;;) {
        look_at_the_program();
        look_at_the_clock();
        look_at_the_terminal();
        if (is_over()) {
            break;
        }
        wait();
        serve_clients();
    }
}

void Supervisor::look_at_the_program() {
    has_ended_ = has_ended_ || process_.try_wait().has_value();
    take_signals();
    if (std::exchange(children_have_changed_, false)) {
        Descendants::reap_orphans(process_.pid());
        has_ended_ = has_ended_ || process_.try_wait().has_value();
        if (!has_ended_) {
            job_->stop_with_the_program();
        }
    }
}

void Supervisor::look_at_the_clock() {
    if (has_ended_) {
        return;
    }
    if (has_passed(times_out_at_)) {
        end_by_timeout();
    }
    if (has_passed(kills_at_)) {
        kills_at_.reset();
        outcome_.took_kill = true;
        send(SIGKILL);
    }
}

void Supervisor::look_at_the_terminal() {
    if (!session_) {
        return;
    }
    if (has_ended_) {
        session_->finish();
    }
    session_->advance();
    if (!has_ended_ && session_->is_lost()) {
        hang_up();
    }
}

bool Supervisor::is_over() const { return has_ended_ && (!session_ || session_->is_over()); }

void Supervisor::end_by_timeout() {
    times_out_at_.reset();
    kills_at_ = detail::after(how_.kill_after);
    outcome_.ended_by = EndedBy::timeout;
    outcome_.took_kill = how_.timeout_signal == SIGKILL;
    tell([](Observer& observer) { observer.ending("timeout"); });
    // As timeout(1), all of the program's group is asked. One that it leads, the launcher reaches by itself.
    const SpawnOptions& options = spawner_.options();
    if (options.ending.scope == KillScope::process &&
        (options.birth.namespaces & Namespaces::pid) == Namespaces::none) {
        descendants_.signal_group_of(process_.pid(), how_.timeout_signal);
    }
    send(how_.timeout_signal);
}

// The kernel hangs up at the program when nobody has the other end of its terminal any more.
void Supervisor::hang_up() {
    session_->hang_up();
    if (outcome_.ended_by == EndedBy::itself) {
        outcome_.ended_by = EndedBy::a_signal;
    }
    kills_at_ = detail::after(how_.kill_after);
}

// To the kill scope, and wakes what is stopped.
void Supervisor::send(int signal) {
    try {
        (void)process_.stop({Stop::signal(signal, std::chrono::nanoseconds(0))});
    } catch (const std::system_error& error) {
        complain("the program, process " + std::to_string(process_.pid()) + ", cannot be sent " +
                 signal_name(signal) + ": " + error.code().message() +
                 (error.code().value() == EPERM ? " (it runs as another user now)" : ""));
    }
}

void Supervisor::conclude() {
    outcome_.status = process_.wait();
    job_.reset();
    session_.reset();
    if (outcome_.ended_by != EndedBy::itself) {
        descendants_.kill_all();
    }
    if (!process_.after_end_failures().empty()) {
        complain(process_.after_end_failures());
    }
    tell([this](Observer& observer) { observer.ended(process_, outcome_.status); });
    if (!how_.observers.empty() && descendants_.are_gone()) {
        tell([](Observer& observer) { observer.gone(); });
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

void Supervisor::deal_with(const signalfd_siginfo& signal) {
    const int number = static_cast<int>(signal.ssi_signo);
    if (number == SIGCHLD) {
        children_have_changed_ = true;
        return;
    }
    if (ends_a_launch(number)) {
        if (outcome_.ended_by == EndedBy::itself) {
            outcome_.ended_by = EndedBy::a_signal;
            tell([&](Observer& observer) { observer.ending(signal_name(number)); });
        }
        // Or, once the program has ended, whoever does not read its last words keeps us.
        if (session_ && (has_ended_ || number == SIGHUP)) {
            hang_up();
        }
    }
    if (!has_ended_) {
        job_->take(signal);
    }
}

}  // namespace syncspawn::tools
