#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>

#include <syncspawn/launcher/side.hpp>

#include "known_call.hpp"

// The launch record: memory that both sides share, there before the child is. The one place for what
// happened; it survives a SIGKILL of the child. A hostile child can write anything into it, so the
// parent copies what it needs once and checks every index.

namespace syncspawn::detail {

// How a part failed.
enum class Failing : std::uint32_t { by_error, by_exception };

// What one side says of its own failure.
struct FailureSlot {
    std::uint32_t item = 0;
    Failing way = Failing::by_error;
    std::int32_t error = 0;
    KnownCall call = KnownCall::none;
    // Null: it is an errno. The same object on both sides, since the child has executed nothing yet. But
    // whoever reads a child's slot must not follow this before it has made sure what is there.
    const std::error_category* category = nullptr;
    char category_name[40] = {};
    char text[120] = {};

    void set_text(const char* what) noexcept;
    void set_code(const std::error_code& code) noexcept;
    // An exception of a part.
    void set_exception(const char* what) noexcept;
    void set_exception(const char* what, const std::error_code& code) noexcept;
};

enum class Commit : std::uint32_t {
    armed,
    hot,        // the child is about to execute the program
    cancelled,  // the parent gave up first
};

// When one side was in one item: CLOCK_MONOTONIC in nanoseconds, 0 if not yet.
struct Times {
    std::atomic<std::int64_t> began;
    std::atomic<std::int64_t> ended;
};

constexpr std::uint32_t nobody = 0;
constexpr std::uint32_t item_none = UINT32_MAX;

inline std::uint32_t claim_of(WhichSide side) noexcept { return side == WhichSide::parent ? 1 : 2; }

struct LaunchRecord {
    std::atomic<Commit> commit;
    std::atomic<std::uint32_t> first_failure;  // nobody, or the side whose slot is the first cause
    std::atomic<std::uint32_t> child_item;     // where the child is
    std::atomic<std::uint32_t> parents_word;   // words.hpp
    // CLOCK_REALTIME less CLOCK_MONOTONIC, at its begin; 0: it has the parent's.
    std::atomic<std::int64_t> childs_clocks;
    FailureSlot child_failure;

    // They follow the struct, both sides' for each item. Who calls checks the index.
    Times& times(WhichSide side, std::uint32_t item) noexcept;
    void begin(WhichSide side, std::uint32_t item) noexcept;
    void end(WhichSide side, std::uint32_t item) noexcept;
    // The same for the child, by the time at which it began `known`: asks no clock.
    void begin_as(std::uint32_t known, std::uint32_t item) noexcept;
    void end_as(std::uint32_t known, std::uint32_t item) noexcept;
    // In a child that does not share memory, first of all, and in the parent: by how much the child's CLOCK_MONOTONIC is ahead of
    // this process's. It is in a time namespace only, which leaves CLOCK_REALTIME alone.
    void note_childs_clocks() noexcept;
    [[nodiscard]] std::int64_t childs_clock_is_ahead(std::int64_t launch_began,
                                                     std::uint32_t begin_item) noexcept;
    // Declares the filled slot of `side` the first cause, unless there is one already.
    void claim(WhichSide side) noexcept;
};

static_assert(std::atomic<std::int64_t>::is_always_lock_free);
static_assert(std::atomic<Commit>::is_always_lock_free);

std::int64_t monotonic_now() noexcept;

}  // namespace syncspawn::detail
