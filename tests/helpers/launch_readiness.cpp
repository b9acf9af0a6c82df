// Does with its barrier what its argument says.
#include <unistd.h>

#include <csignal>
#include <string>

#include <syncspawn/barrier.hpp>

int main(int, char** arguments) {
    const std::string does = arguments[1];
    if (does == "exits") {
        return 3;
    }
    if (does == "is killed") {
        raise(SIGKILL);
    }
    if (does == "sleeps") {
        pause();
    }
    syncspawn::Barrier barrier = syncspawn::attach();
    if (does == "attaches and exits") {
        return 3;
    }
    if (does == "waits for an abort and a gate") {
        char byte = 0;
        (void)!write(STDOUT_FILENO, "a", 1);  // attached
        (void)barrier.wait_abortion();
        (void)!write(STDOUT_FILENO, "t", 1);  // told
        (void)!read(STDIN_FILENO, &byte, 1);
        (void)!write(STDOUT_FILENO, "l", 1);  // leaves
        return 3;
    }
    if (does == "aborts") {
        (void)barrier.abort();
        pause();
    }
    if (does == "places twice and says so") {
        (void)barrier.place();
        (void)barrier.place();
        (void)!write(STDOUT_FILENO, "x", 1);
        pause();
    }
    if (does == "closes") {
        barrier.destroy();
    }
    if (does == "is ready" && barrier.place_and_sync() == syncspawn::Outcome::reached) {
        return 42;
    }
    pause();
    return 1;
}
