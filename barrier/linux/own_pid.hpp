#pragma once

#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>

namespace syncspawn::detail {

// A page that the kernel empties in the child of every kind of fork: what is known there is known of this
// process. Null where there is no such page: before Linux 4.14, or in an emulation.
inline std::atomic<pid_t>* new_page_wiped_by_fork() noexcept {
    constexpr std::size_t size = sizeof(std::atomic<pid_t>);  // the kernel gives a whole page
    constexpr int no_advice = -1;
    void* const page =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return nullptr;
    }
    // Emulations may accept whatever is advised, and do nothing.
    if (madvise(page, size, no_advice) == 0 || madvise(page, size, MADV_WIPEONFORK) < 0) {
        munmap(page, size);
        return nullptr;
    }
    return static_cast<std::atomic<pid_t>*>(page);
}

// getpid(2) without a system call: a launch and its Process ask often, to know a copy of the process from
// the one that launched. Not for a child that shares this process's memory. Thread-safe.
inline pid_t own_pid() noexcept {
    static constinit std::atomic<pid_t> nowhere{0};
    static constinit std::atomic<std::atomic<pid_t>*> place{nullptr};
    std::atomic<pid_t>* known = place.load(std::memory_order_acquire);
    if (known == nullptr) {
        std::atomic<pid_t>* const fresh = new_page_wiped_by_fork();
        if (place.compare_exchange_strong(known, fresh != nullptr ? fresh : &nowhere)) {
            known = fresh != nullptr ? fresh : &nowhere;
        } else if (fresh != nullptr) {  // another thread was faster
            munmap(fresh, sizeof *fresh);
        }
    }
    pid_t pid = known != &nowhere ? known->load(std::memory_order_relaxed) : 0;
    if (pid == 0) {
        pid = getpid();
        if (known != &nowhere) {
            known->store(pid, std::memory_order_relaxed);
        }
    }
    return pid;
}

}  // namespace syncspawn::detail
