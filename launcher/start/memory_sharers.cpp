#include "memory_sharers.hpp"

#include <pthread.h>
#include <sys/prctl.h>

#include <cstddef>
#include <utility>

namespace syncspawn::detail {
namespace {

constexpr int unknown = -1;

// Plain data of the C library, as in lasting_thread.cpp: the child of a fork has it as new.
struct MemorySharers {
    pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
    std::size_t count = 0;
    int dumpable = unknown;  // as it was before the first that changes its credentials
};

constinit MemorySharers sharers;

// The kernel never raises the flag to 1, so that was somebody else, who meant it. Only the kernel can make it 2 (see
// fs.suid_dumpable in proc(5)), so there 0 stays, which is stricter.
void put_flag_back() noexcept {
    const int was = std::exchange(sharers.dumpable, unknown);
    const int is = was == unknown ? unknown : prctl(PR_GET_DUMPABLE);
    if (was != is && is != 1 && (was == 0 || was == 1)) {
        prctl(PR_SET_DUMPABLE, was);
    }
}

// The copy of the memory has a copy of the flag, and none of the children.
void begin_anew() noexcept {
    put_flag_back();
    sharers.count = 0;
    pthread_mutex_unlock(&sharers.turn);
}

// Held while a copy is made, or it might have the flag of before and what is known of it from behind.
void hold() noexcept { pthread_mutex_lock(&sharers.turn); }
void let_go() noexcept { pthread_mutex_unlock(&sharers.turn); }

[[maybe_unused]] const int watching_forks = pthread_atfork(hold, let_go, begin_anew);

class Turn {
public:
    Turn() noexcept { pthread_mutex_lock(&sharers.turn); }
    ~Turn() { pthread_mutex_unlock(&sharers.turn); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
};

}  // namespace

void enter_memory(Credentials credentials) noexcept {
    const Turn turn;
    ++sharers.count;
    if (credentials == Credentials::change && sharers.dumpable == unknown) {
        sharers.dumpable = prctl(PR_GET_DUMPABLE);
    }
}

void leave_memory() noexcept {
    const Turn turn;
    if (sharers.count > 0 && --sharers.count == 0) {  // 0: begun before a fork
        put_flag_back();
    }
}

}  // namespace syncspawn::detail
