#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include <syncspawn/launcher/raw_terminal.hpp>

// Makes its standard input raw, with the handlers that the header advises, and says so on descriptor 3: 'r' for raw.
// With an argument, it then exits; else a signal ends it.

namespace {

syncspawn::RawTerminal* raw = nullptr;

void say_raw() noexcept {
    if (write(3, "r", 1) != 1) {
        _exit(1);
    }
}

void on_terminate(int signal) {
    raw->restore();
    ::signal(signal, SIG_DFL);
    raise(signal);
}

void on_stop(int /*signal*/) {
    raw->restore();
    raise(SIGSTOP);
}

void on_continue(int /*signal*/) {
    raw->resume();
    say_raw();
}

}  // namespace

int main(int count, char** /*arguments*/) {
    static syncspawn::RawTerminal terminal(STDIN_FILENO);
    raw = &terminal;
    signal(SIGTERM, on_terminate);
    signal(SIGTSTP, on_stop);
    signal(SIGCONT, on_continue);
    say_raw();
    if (count > 1) {
        std::exit(0);  // NOLINT(concurrency-mt-unsafe): there is one thread
    }
    for (;;) {
        pause();
    }
}
