#include "wall_clock.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <memory>
#include <utility>

#include <syncspawn/barrier/unique_fd.hpp>

#include "barrier/linux/time_left.hpp"

namespace syncspawn::sandbox {
namespace {

struct Watch {
    UniqueFd program;
    timespec end{};
};

void* watch(void* argument) noexcept {
    const std::unique_ptr<Watch> watched(static_cast<Watch*>(argument));
    pollfd program{watched->program.get(), POLLIN, 0};
    int answer = -1;
    do {
        const timespec left = detail::time_left(watched->end);
        answer = ppoll(&program, 1, &left, nullptr);
    } while (answer < 0 && errno == EINTR);
    if (answer <= 0) {  // what cannot be watched must not run on
        syscall(SYS_pidfd_send_signal, watched->program.get(), SIGKILL, nullptr, 0);
    }
    return nullptr;
}

// The thread inherits the mask: signals of this process are for its other threads.
int start_watching(std::unique_ptr<Watch> watched) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread{};
    const int error = pthread_create(&thread, nullptr, watch, watched.get());
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error == 0) {
        (void)watched.release();  // the thread owns it
        pthread_detach(thread);
    }
    return error;
}

}  // namespace

Step wall_clock(std::chrono::nanoseconds limit) {
    return {.name = "wall clock", .after_execve = [limit](ParentSide& side) {
                auto watched = std::make_unique<Watch>();
                watched->program.reset(fcntl(side.child_pidfd(), F_DUPFD_CLOEXEC, 3));
                if (!watched->program) {
                    return side.fail("fcntl(F_DUPFD_CLOEXEC) of the program's pidfd");
                }
                watched->end = detail::to_timespec(detail::after(limit));
                const int error = start_watching(std::move(watched));
                return error != 0 ? side.fail(error, "pthread_create") : side.done();
            }};
}

}  // namespace syncspawn::sandbox
