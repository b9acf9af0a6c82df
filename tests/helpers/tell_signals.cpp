// Says each signal that it gets, with the value of a queued one, and how it was told. SIGRTMAX ends it with status 3.

#include <signal.h>

#include <cstdio>

int main() {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    std::puts("listens");
    for (;;) {
        std::fflush(stdout);
        siginfo_t info;
        const int signal = sigwaitinfo(&all, &info);
        if (signal == SIGRTMAX) {
            return 3;
        }
        std::printf("%d", signal);
        std::puts(info.si_code == SI_QUEUE ? " queued" : "");
    }
}
