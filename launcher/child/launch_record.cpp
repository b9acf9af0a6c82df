#include "launch_record.hpp"

#include <cerrno>
#include <ctime>
#include <system_error>

#include "barrier/linux/bounded_text.hpp"

namespace syncspawn::detail {
namespace {

std::int64_t now_of(clockid_t clock) noexcept {
    timespec now{};
    clock_gettime(clock, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// CLOCK_REALTIME less CLOCK_MONOTONIC. Tried again where the thread was interrupted between the two.
std::int64_t clocks_apart() noexcept {
    constexpr std::int64_t short_enough = 2000;
    std::int64_t apart = 0;
    for (int tries = 0; tries < 8; ++tries) {
        const std::int64_t before = monotonic_now();
        apart = now_of(CLOCK_REALTIME) - before;
        if (monotonic_now() - before < short_enough) {
            break;
        }
    }
    return apart;
}

}  // namespace

void FailureSlot::set_text(const char* what) noexcept { BoundedText(text) << what; }

void FailureSlot::set_code(const std::error_code& code) noexcept {
    way = Failing::by_error;
    error = code.value();
    category = &code.category();
    BoundedText(category_name) << category->name();
}

void FailureSlot::set_exception(const char* what) noexcept {
    way = Failing::by_exception;
    error = ECANCELED;
    category = nullptr;
    set_text(what);
}

void FailureSlot::set_exception(const char* what, const std::error_code& code) noexcept {
    set_code(code);
    way = Failing::by_exception;
    set_text(what);
}

Times& LaunchRecord::times(WhichSide side, std::uint32_t item) noexcept {
    auto* first = reinterpret_cast<Times*>(this + 1);
    return first[2 * item + (side == WhichSide::parent ? 0 : 1)];
}

void LaunchRecord::begin(WhichSide side, std::uint32_t item) noexcept {
    if (side == WhichSide::child) {
        child_item.store(item, std::memory_order_relaxed);
    }
    times(side, item).began.store(monotonic_now(), std::memory_order_relaxed);
}

void LaunchRecord::end(WhichSide side, std::uint32_t item) noexcept {
    times(side, item).ended.store(monotonic_now(), std::memory_order_relaxed);
}

void LaunchRecord::begin_as(std::uint32_t known, std::uint32_t item) noexcept {
    child_item.store(item, std::memory_order_relaxed);
    times(WhichSide::child, item).began.store(times(WhichSide::child, known).began);
}

void LaunchRecord::end_as(std::uint32_t known, std::uint32_t item) noexcept {
    times(WhichSide::child, item).ended.store(times(WhichSide::child, known).began);
}

void LaunchRecord::note_childs_clocks() noexcept {
    childs_clocks.store(clocks_apart(), std::memory_order_relaxed);
}

std::int64_t LaunchRecord::childs_clock_is_ahead(std::int64_t launch_began,
                                                 std::uint32_t begin_item) noexcept {
    // A begin in between is by the same clock. Else the real time tells, which somebody may set: not
    // asked without need.
    const std::int64_t child_began = times(WhichSide::child, begin_item).began;
    std::int64_t ahead = 0;
    if (childs_clocks == 0 || child_began == 0 ||
        (launch_began <= child_began && child_began <= monotonic_now()) ||
        __builtin_sub_overflow(clocks_apart(), childs_clocks.load(), &ahead)) {
        return 0;
    }
    return ahead;
}

void LaunchRecord::claim(WhichSide side) noexcept {
    std::uint32_t expected = nobody;
    // Release: whoever reads the claim reads the slot complete.
    first_failure.compare_exchange_strong(expected, claim_of(side), std::memory_order_acq_rel);
}

std::int64_t monotonic_now() noexcept { return now_of(CLOCK_MONOTONIC); }

}  // namespace syncspawn::detail
