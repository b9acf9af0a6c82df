#pragma once

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <csignal>

// Threads of this library, which outlive any call of it.

// Weak: a program that is linked without them, statically or before glibc 2.34, does without.
#pragma weak dlopen
#pragma weak dladdr

namespace syncspawn::detail {

// A plug-in that was linked with this library may be closed. Its code, where threads of it sleep, stays:
// from the first thread on, since some of them last as long as the process.
inline void stay_loaded() noexcept {
    static std::atomic<bool> stays{false};
    Dl_info object{};
    if (!stays.exchange(true) && &dlopen != nullptr && &dladdr != nullptr &&
        dladdr(&stays, &object) != 0) {
        (void)dlopen(object.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    }
}

// pthread_create(3) of a thread that blocks all signals, with a mask that it has from its creator.
inline int create_own_thread(pthread_t& thread, const pthread_attr_t* attributes,
                             void* (*run)(void*), void* argument) noexcept {
    stay_loaded();
    sigset_t all;
    sigset_t callers;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &callers);
    const int error = pthread_create(&thread, attributes, run, argument);
    pthread_sigmask(SIG_SETMASK, &callers, nullptr);
    return error;
}

}  // namespace syncspawn::detail
