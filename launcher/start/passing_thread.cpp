#include "passing_thread.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <system_error>

#include "own_thread.hpp"

namespace syncspawn::detail {
namespace {

struct Passing {
    const std::function<void()>& work;
    pid_t id;
};

void* run(void* argument) {
    auto& passing = *static_cast<Passing*>(argument);
    passing.id = static_cast<pid_t>(syscall(SYS_gettid));
    passing.work();
    return nullptr;
}

}  // namespace

void run_on_passing_thread(const std::function<void()>& work) {
    Passing passing{.work = work, .id = 0};
    pthread_t thread{};
    if (const int error = create_own_thread(thread, nullptr, run, &passing); error != 0) {
        throw std::system_error(error, std::generic_category(), "pthread_create");
    }
    pthread_join(thread, nullptr);
    wait_until_gone(passing.id);
}

void wait_until_gone(pid_t thread) noexcept {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (syscall(SYS_tgkill, getpid(), thread, 0) == 0 &&
           std::chrono::steady_clock::now() < give_up) {
        sched_yield();
    }
    // Its number goes away under a lock, and the rest of it before that is released: wait for it.
    sigset_t unused;
    sigpending(&unused);
}

}  // namespace syncspawn::detail
