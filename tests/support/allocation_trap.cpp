#include "support/allocation_trap.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>

#include "support/sanitizers.hpp"

namespace {

std::atomic<bool> is_armed{false};
std::atomic<long> count{0};

void note() noexcept {
    if (is_armed.load(std::memory_order_relaxed)) {
        count.fetch_add(1, std::memory_order_relaxed);
    }
}

}  // namespace

#ifdef SYNCSPAWN_SANITIZED

// Declared here because not every compiler ships the header along with the library.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*,
                                                                           std::size_t),
                                                         void (*on_free)(const volatile void*));

namespace {

[[maybe_unused]] const int hooked = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t) { note(); }, [](const volatile void*) {});

}  // namespace

#else

// NOLINTBEGIN(*-reserved-identifier,*-identifier-naming,*-inconsistent-declaration*): glibc's names
extern "C" {

void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) noexcept {
    note();
    return __libc_malloc(size);
}

void* calloc(std::size_t number, std::size_t size) noexcept {
    note();
    return __libc_calloc(number, size);
}

void* realloc(void* old, std::size_t size) noexcept {
    note();
    return __libc_realloc(old, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    note();
    return __libc_memalign(alignment, size);
}

}  // extern "C"
   // NOLINTEND(*-reserved-identifier,*-identifier-naming,*-inconsistent-declaration*)

#endif

namespace syncspawn::testing {

AllocationTrap::AllocationTrap() noexcept {
    count = 0;
    is_armed = true;
}

AllocationTrap::~AllocationTrap() { is_armed = false; }

long AllocationTrap::allocations() const noexcept { return count; }

}  // namespace syncspawn::testing
