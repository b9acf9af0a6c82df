#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <system_error>
#include <utility>

#include "barrier/linux/time_left.hpp"
#include "supervisor.hpp"
#include "tools/messages.hpp"
#include "tools/report/observer.hpp"

// What the supervisor does while the program runs, and when it has ended.

namespace syncspawn::tools {

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
