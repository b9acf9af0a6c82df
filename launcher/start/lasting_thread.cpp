#include "lasting_thread.hpp"

#include <linux/kcmp.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <new>
#include <string>
#include <system_error>

#include "barrier/linux/proc.hpp"
#include "own_thread.hpp"

namespace syncspawn::detail {
namespace {

// Plain data of the C library, so that the child of a fork can have it as new without allocating, and
// that is there before the first fork.
struct LastingThread {
    pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
    bool is_there = false;
    const std::function<void()>* work = nullptr;
    sem_t wanted{};
    sem_t done{};
};

constinit LastingThread threads[2];  // by Births

// No lock is taken around a fork: the work may be one itself.
[[maybe_unused]] const int watching_forks = pthread_atfork(nullptr, nullptr, [] {
    for (LastingThread& lasting : threads) {
        pthread_mutex_init(&lasting.turn, nullptr);
        lasting.is_there = false;
    }
});

void wait_for(sem_t& event) noexcept {
    while (sem_wait(&event) < 0 && errno == EINTR) {
    }
}

void* live(void* thread) {
    auto& lasting = *static_cast<LastingThread*>(thread);
    for (;;) {
        wait_for(lasting.wanted);
        (*lasting.work)();
        sem_post(&lasting.done);
    }
}

[[noreturn]] void fail(int error) {
    throw std::system_error(error, std::generic_category(), "pthread_create");
}

void start(LastingThread& lasting) {
    sem_init(&lasting.wanted, 0, 0);
    sem_init(&lasting.done, 0, 0);
    pthread_t thread{};
    if (const int error = create_own_thread(thread, nullptr, live, &lasting); error != 0) {
        fail(error);
    }
    pthread_detach(thread);
    lasting.is_there = true;
}

class Turn {
public:
    explicit Turn(LastingThread& lasting) noexcept : mutex_(lasting.turn) {
        pthread_mutex_lock(&mutex_);
    }
    ~Turn() { pthread_mutex_unlock(&mutex_); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

private:
    pthread_mutex_t& mutex_;
};

// What this thread has of its own and a child inherits. A thread is asked for itself: its number may be another one in
// the /proc of an outer pid namespace.
std::string own_inheritance(Births births) {
    const std::string process = "/proc/thread-self";
    std::string text;
    proc::File status(process, "/status");
    for (std::string line; status.read_line(line);) {
        for (const char* key : {"Uid:", "Gid:", "Groups:", "Cap", "NoNewPrivs:", "Seccomp"}) {
            if (line.starts_with(key)) {
                text += line + '\n';
            }
        }
    }
    const char* const pid = births == Births::here ? "pid_for_children" : "pid";
    for (const char* kind :
         {"cgroup", "ipc", "mnt", "net", pid, "time_for_children", "user", "uts"}) {
        char name[64] = {};
        if (readlink((process + "/ns/" + kind).c_str(), name, sizeof name - 1) > 0) {
            text += name;
        }
    }
    return text;
}

// Files and directories differ after unshare(CLONE_FILES | CLONE_FS). Kernels without kcmp are taken at their word.
bool is_this_thread_like(const std::string& inheritance, pid_t thread, Births births) noexcept {
    const auto self = static_cast<pid_t>(syscall(SYS_gettid));
    try {
        return !inheritance.empty() && inheritance == own_inheritance(births) &&
               syscall(SYS_kcmp, self, thread, KCMP_FILES, 0, 0) <= 0 &&
               syscall(SYS_kcmp, self, thread, KCMP_FS, 0, 0) <= 0;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

}  // namespace

bool run_on_lasting_thread(Births births, const std::function<void()>& work) {
    if (births == Births::here && syscall(SYS_gettid) == getpid()) {
        work();
        return true;
    }
    LastingThread& lasting = threads[static_cast<std::size_t>(births)];
    const Turn turn(lasting);
    if (!lasting.is_there) {
        start(lasting);
    }
    const std::string inheritance = own_inheritance(births);
    const auto caller = static_cast<pid_t>(syscall(SYS_gettid));
    bool is_alike = false;
    const std::function<void()> work_if_alike = [&] {
        is_alike = is_this_thread_like(inheritance, caller, births);
        if (is_alike) {
            work();
        }
    };
    lasting.work = &work_if_alike;
    sem_post(&lasting.wanted);
    wait_for(lasting.done);
    return is_alike;
}

}  // namespace syncspawn::detail
