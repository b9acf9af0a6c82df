#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <syncspawn/launcher/child_side.hpp>

// Threads that do nothing but lend what a child needs that shares this process's memory: a thread
// pointer, so that errno and all other thread-local variables of the child are nobody else's, and
// the unused lower part of a stack, with the guard page below it.

namespace syncspawn::detail {

struct Plan;

class ParkedThread {
public:
    // Throws std::system_error. The thread blocks every signal.
    static ParkedThread* start();

    [[nodiscard]] void* thread_pointer() const noexcept { return thread_pointer_; }
    [[nodiscard]] char* stack_begin() const noexcept { return stack_begin_; }
    [[nodiscard]] std::size_t stack_size() const noexcept { return stack_size_; }

    // Ends the thread, waits until nothing is left of it, and deletes this.
    void end() noexcept;
    // The same after a child has died on it: if that held a lock which a thread needs to end (one of
    // malloc), it is given up.
    void end_if_it_can() noexcept;
    // Leaves it parked for ever.
    void give_up() noexcept;

    // Not 0 while a child lives on the loan. The kernel sets it to 0 and wakes its (shared) futex when
    // the child leaves the memory, by execve or by its end: CLONE_CHILD_CLEARTID. Until then the child may say
    // there how far it is: words.hpp.
    std::atomic<std::uint32_t> is_lent{0};
    // Of the child that lives on it.
    const Plan* plan = nullptr;

private:
    ParkedThread() = default;
    // Null if there is not even room for the thread-local variables.
    static std::unique_ptr<ParkedThread> start_with(std::size_t stack_size);
    void live() noexcept;
    void wake(std::uint32_t phase) noexcept;

    pthread_t thread_{};
    void* thread_pointer_ = nullptr;
    char* stack_begin_ = nullptr;
    std::size_t stack_size_ = 0;
    std::atomic<std::uint32_t> phase_{0};
    pid_t id_ = -1;
    ParkedThread* next_given_up_ = nullptr;
};

// One thread, lent to one child. Movable; empty if there is no such child.
class Loan {
public:
    Loan() noexcept = default;
    // Takes an idle thread or starts one: throws std::system_error. From now on there is a child that shares the memory,
    // until the loan is over: memory_sharers.hpp.
    static Loan take(Credentials credentials);
    Loan(Loan&& other) noexcept : thread_(std::exchange(other.thread_, nullptr)) {}
    Loan& operator=(Loan&& other) noexcept;
    ~Loan() { discard(); }

    explicit operator bool() const noexcept { return thread_ != nullptr; }
    ParkedThread& operator*() const noexcept { return *thread_; }
    ParkedThread* operator->() const noexcept { return thread_; }

    // Whether the child has left the memory.
    [[nodiscard]] bool is_over() const noexcept;
    // After an execve, or if no child came to be: the thread is as good as new.
    void give_back() noexcept;
    // After a death, which may have come in the middle of anything: nobody gets this thread again.
    void discard() noexcept;
    // In a copy of the process, where there is no such thread.
    void forget() noexcept { thread_ = nullptr; }

private:
    explicit Loan(ParkedThread* thread) noexcept : thread_(thread) {}
    ParkedThread* thread_ = nullptr;
};

// Ends all threads that are not lent, and waits for their end.
void end_idle_threads() noexcept;

}  // namespace syncspawn::detail
