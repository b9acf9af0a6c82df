// Blocks SIGTERM, says so on its standard output, and awaits it by sigwait(3). Exit status 3.

#include <signal.h>
#include <unistd.h>

int main() {
    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGTERM);
    sigprocmask(SIG_BLOCK, &awaited, nullptr);
    int signal = 0;
    return write(STDOUT_FILENO, "\n", 1) == 1 && sigwait(&awaited, &signal) == 0 ? 3 : 1;
}
