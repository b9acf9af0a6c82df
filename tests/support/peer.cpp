#include "support/peer.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <utility>

#include "barrier/linux/signal_names.hpp"

namespace syncspawn::testing {

Peer::Report* Peer::report_of_this_process = nullptr;

void report_failure(const char* text, const char* file, int line) noexcept {
    if (Peer::report_of_this_process != nullptr) {
        auto& report = Peer::report_of_this_process->text;
        const char* slash = std::strrchr(file, '/');
        std::snprintf(report, sizeof report, "%s at %s:%d", text,
                      slash != nullptr ? slash + 1 : file, line);
    }
    _exit(status_expected);
}

void expect(bool holds, int line, const char* file) noexcept {
    if (!holds) {
        report_failure("an expectation failed", file, line);
    }
}

void expect_same(long long actual, long long expected, int line, const char* file) noexcept {
    if (actual != expected) {
        char text[100];
        std::snprintf(text, sizeof text, "%lld instead of %lld", actual, expected);
        report_failure(text, file, line);
    }
}

void expect_same(const char* actual, const char* expected, int line, const char* file) noexcept {
    if (std::strcmp(actual, expected) != 0) {
        char text[400];
        std::snprintf(text, sizeof text, "'%s' instead of '%s'", actual, expected);
        report_failure(text, file, line);
    }
}

void leave_out_here(const char* reason) noexcept {
    if (Peer::report_of_this_process != nullptr) {
        auto& report = Peer::report_of_this_process->text;
        std::snprintf(report, sizeof report, "%s", reason);
    }
    _exit(status_left_out);
}

bool Peer::fork_self() {
    const pid_t harness = getpid();
    pid_ = fork();
    if (pid_ < 0) {
        throw std::system_error(errno, std::generic_category(), "fork");
    }
    if (pid_ != 0) {
        return false;
    }
    report_of_this_process = &*report_;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const pid_t parent = getppid();  // 0: of another pid namespace
    if (parent != harness && parent != 0) {
        _exit(status_expected);
    }
    signal(SIGALRM, SIG_DFL);
    alarm(watchdog_seconds);
    return true;
}

void Peer::leave_reached() noexcept { _exit(status_reached); }

void Peer::leave_thrown(const char* what) noexcept {
    std::snprintf(report_of_this_process->text, sizeof report_of_this_process->text, "%s", what);
    _exit(status_thrown);
}

Peer::Peer(Peer&& other) noexcept
    : report_(std::move(other.report_)),
      pid_(std::exchange(other.pid_, -1)),
      is_reaped_(other.is_reaped_),
      wait_status_(other.wait_status_) {}

Peer::~Peer() {
    if (pid_ > 0 && !is_reaped_) {
        ::kill(pid_, SIGKILL);
        wait_status();
    }
}

void Peer::send(int signal) const noexcept { ::kill(pid_, signal); }

int Peer::wait_status() {
    while (!is_reaped_) {
        const pid_t reaped = waitpid(pid_, &wait_status_, 0);
        is_reaped_ = reaped == pid_ || (reaped < 0 && errno != EINTR);
    }
    return wait_status_;
}

std::string Peer::ending() {
    const int status = wait_status();
    if (WIFSIGNALED(status)) {
        const int signal = WTERMSIG(status);
        const char* const name = detail::abbreviation_of(signal);
        return signal == SIGALRM ? "ran into the watchdog"
               : name == nullptr ? "killed by signal " + std::to_string(signal)
                                 : std::string("killed by SIG") + name;
    }
    switch (WEXITSTATUS(status)) {
        case status_reached:
            return reached_the_end;
        case status_expected:
            return report_->text;
        case status_thrown:
            return std::string("threw: ") + report_->text;
        case status_left_out:
            return std::string("left out: ") + report_->text;
        default:
            return "exit status " + std::to_string(WEXITSTATUS(status));
    }
}

std::string Peer::left_out() {
    const int status = wait_status();
    return WIFEXITED(status) && WEXITSTATUS(status) == status_left_out ? report_->text : "";
}

}  // namespace syncspawn::testing
