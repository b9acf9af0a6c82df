#pragma once

#include <pthread.h>

#include <cxxabi.h>

namespace syncspawn::detail {

// pthread_cancel(3) waits until this is gone: a child is under way, and a cancellation would unwind
// through functions that do not throw.
class CancellationHeldBack {
public:
    CancellationHeldBack() noexcept {
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &callers_state_);
    }
    ~CancellationHeldBack() { pthread_setcancelstate(callers_state_, nullptr); }
    CancellationHeldBack(const CancellationHeldBack&) = delete;
    CancellationHeldBack& operator=(const CancellationHeldBack&) = delete;

private:
    int callers_state_ = PTHREAD_CANCEL_ENABLE;
};

// As what the end of a thread (pthread_exit(3), pthread_cancel(3)) comes by. Whoever catches it must throw it
// on, or the C library aborts.
#ifdef __GLIBCXX__
using EndOfThread = abi::__forced_unwind;
#else
struct EndOfThread {};  // it passes by handlers
#endif

}  // namespace syncspawn::detail
