#include "parked_thread.hpp"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <ctime>
#include <memory>
#include <system_error>
#include <type_traits>

#include "barrier/linux/clone_with_stack.hpp"
#include "barrier/linux/time_left.hpp"
#include "memory_sharers.hpp"
#include "own_thread.hpp"
#include "passing_thread.hpp"

namespace syncspawn::detail {
namespace {

enum Phase : std::uint32_t { starting, parked, ending };

constexpr std::size_t childs_stack_size = std::size_t{256} * 1024;
// Between the parked thread's own frames and the child's stack: room for the frame of a signal (the
// C library interrupts every thread for set*id), which may hold all registers of the processor.
constexpr std::size_t room_for_a_signal = std::size_t{64} * 1024;

// A large frame that is not probed must not step over it.
constexpr std::size_t guard_size = std::size_t{64} * 1024;

// More threads may be lent at once; those are ended when they come back. Each counts as a process where
// those are limited (RLIMIT_NPROC, pids.max).
constexpr std::size_t most_idle_threads = 4;

[[noreturn]] void fail(int error, const char* what) {
    throw std::system_error(error, std::generic_category(), what);
}

// Plain data that is there before the first instruction of this process and never destroyed: threads
// may launch while it begins, exits, or forks for the first time.
struct Pool {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    std::array<ParkedThread*, most_idle_threads> idle{};
    std::size_t idle_count = 0;
};
static_assert(std::is_trivially_destructible_v<Pool>);

constinit Pool pool;

// Those that nobody ends: kept where a search for leaks finds them.
constinit std::atomic<ParkedThread*> given_up{nullptr};

class PoolLock {
public:
    PoolLock() noexcept { pthread_mutex_lock(&pool.mutex); }
    ~PoolLock() { pthread_mutex_unlock(&pool.mutex); }
    PoolLock(const PoolLock&) = delete;
    PoolLock& operator=(const PoolLock&) = delete;
};

ParkedThread* take_idle() noexcept {
    const PoolLock lock;
    return pool.idle_count == 0 ? nullptr : pool.idle[--pool.idle_count];
}

bool keep_idle(ParkedThread* thread) noexcept {
    const PoolLock lock;
    if (pool.idle_count == pool.idle.size()) {
        return false;
    }
    pool.idle[pool.idle_count++] = thread;
    return true;
}

// In the child of a fork of the application the threads do not exist. Their stacks go back to the C
// library by themselves.
[[maybe_unused]] const int watching_forks = pthread_atfork(
    [] { pthread_mutex_lock(&pool.mutex); }, [] { pthread_mutex_unlock(&pool.mutex); },
    [] {
        pool.idle_count = 0;
        pthread_mutex_unlock(&pool.mutex);
    });

// How long a thread may take to end that a child died on.
constexpr auto longest_end = std::chrono::milliseconds(100);

}  // namespace

ParkedThread* ParkedThread::start() {
    // The C library takes the program's thread-local variables from the stack and counts them nowhere:
    // where they are large, a further thread gets twice as much.
    std::size_t wanted = childs_stack_size + room_for_a_signal;
    for (int attempt = 0; attempt < 10; ++attempt, wanted *= 2) {
        std::unique_ptr<ParkedThread> made = start_with(wanted);
        if (made != nullptr && made->stack_size_ >= childs_stack_size) {
            return made.release();
        }
        if (made != nullptr) {
            made.release()->end();
        }
    }
    fail(ENOMEM, "a stack for the child");
}

std::unique_ptr<ParkedThread> ParkedThread::start_with(std::size_t stack_size) {
    std::unique_ptr<ParkedThread> made(new ParkedThread);
    pthread_attr_t attributes;
    if (const int error = pthread_attr_init(&attributes); error != 0) {
        fail(error, "pthread_attr_init");
    }
    const auto least = static_cast<std::size_t>(std::max(sysconf(_SC_THREAD_STACK_MIN), 0L));
    pthread_attr_setstacksize(&attributes, least + stack_size);
    pthread_attr_setguardsize(&attributes, guard_size);
    const int error = create_own_thread(
        made->thread_, &attributes,
        [](void* self) -> void* {
            static_cast<ParkedThread*>(self)->live();
            return nullptr;
        },
        made.get());
    pthread_attr_destroy(&attributes);
    if (error == EINVAL) {
        return nullptr;
    }
    if (error != 0) {
        fail(error, "pthread_create");
    }
    made->phase_.wait(starting);
    return made;
}

void ParkedThread::live() noexcept {
    pthread_attr_t attributes;
    auto* const here = static_cast<char*>(__builtin_frame_address(0));
    void* lowest = here;
    std::size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &lowest, &size);
        pthread_attr_destroy(&attributes);
    }
    stack_begin_ = static_cast<char*>(lowest);
    const std::ptrdiff_t room =
        here - stack_begin_ - static_cast<std::ptrdiff_t>(room_for_a_signal);
    stack_size_ = room > 0 ? static_cast<std::size_t>(room) : 0;
    stack_size_ -= stack_size_ % 16;  // as both ABIs ask for
    thread_pointer_ = detail::thread_pointer();
    id_ = static_cast<pid_t>(syscall(SYS_gettid));
    phase_.store(parked);
    phase_.notify_one();
    // From here on errno belongs to the child: no call may touch it, not even one that is interrupted.
    while (phase_.load() == parked) {
        call_without_errno(SYS_futex, reinterpret_cast<long>(&phase_), FUTEX_WAIT_PRIVATE, parked,
                           0);
    }
}

void ParkedThread::wake(std::uint32_t phase) noexcept {
    phase_.store(phase);
    call_without_errno(SYS_futex, reinterpret_cast<long>(&phase_), FUTEX_WAKE_PRIVATE, INT_MAX, 0);
}

void ParkedThread::end() noexcept {
    wake(ending);
    pthread_join(thread_, nullptr);
    wait_until_gone(id_);
    delete this;
}

void ParkedThread::end_if_it_can() noexcept {
    wake(ending);
    const timespec deadline = to_timespec(after(longest_end));
    if (pthread_clockjoin_np(thread_, nullptr, CLOCK_MONOTONIC, &deadline) != 0) {
        pthread_detach(thread_);
        give_up();  // the thread may still look at this
        return;
    }
    wait_until_gone(id_);
    delete this;
}

void ParkedThread::give_up() noexcept {
    next_given_up_ = given_up.load();
    while (!given_up.compare_exchange_weak(next_given_up_, this)) {
    }
}

Loan Loan::take(Credentials credentials) {
    ParkedThread* const idle = take_idle();
    Loan loan(idle != nullptr ? idle : ParkedThread::start());
    enter_memory(credentials);
    return loan;
}

Loan& Loan::operator=(Loan&& other) noexcept {
    if (this != &other) {
        discard();
        thread_ = std::exchange(other.thread_, nullptr);
    }
    return *this;
}

bool Loan::is_over() const noexcept {
    return thread_ == nullptr || thread_->is_lent.load(std::memory_order_acquire) == 0;
}

void Loan::give_back() noexcept {
    if (thread_ == nullptr || !is_over()) {
        discard();
        return;
    }
    leave_memory();
    ParkedThread* thread = std::exchange(thread_, nullptr);
    if (!keep_idle(thread)) {
        thread->end();
    }
}

void Loan::discard() noexcept {
    // A thread that a child may still live on stays parked for ever, and that child is never known to have left the
    // memory.
    if (thread_ != nullptr && is_over()) {
        leave_memory();
        thread_->end_if_it_can();
    } else if (thread_ != nullptr) {
        thread_->give_up();
    }
    thread_ = nullptr;
}

void end_idle_threads() noexcept {
    while (ParkedThread* const thread = take_idle()) {
        thread->end();
    }
}

}  // namespace syncspawn::detail
