#pragma once

#include <pthread.h>

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

}  // namespace syncspawn::detail
