#pragma once

#include <system_error>

#include <syncspawn/barrier/visibility.h>

/// syncspawn::Side: how a part of a step says how it went.
///
///     return mkdir(path, 0755) < 0 ? side.fail("mkdir") : side.done();

namespace syncspawn {

namespace detail {
struct FailureSlot;
}

/// What a failed call was about. The error then says what to do (SpawnError::hint()), where its errno
/// alone would mislead. The library never guesses this from a part's words.
enum class Hint {
    none,
    id_map,   ///< writing uid_map, gid_map or setgroups of the child's user namespace
    session,  ///< setsid(2) in the child
};

/// What a part sees of its launch, on either side.
class SYNCSPAWN_API Side {
public:
    /// Success, for a lambda with more than one return.
    [[nodiscard]] std::error_code done() const noexcept { return {}; }
    /// Failure of the named call with the given errno; `what` (cut at 120 bytes) goes into the report.
    /// An errno of 0 becomes ECANCELED. Async-signal-safe.
    [[nodiscard]] std::error_code fail(int error, const char* what,
                                       Hint hint = Hint::none) noexcept;
    /// The same with the current errno.
    [[nodiscard]] std::error_code fail(const char* what, Hint hint = Hint::none) noexcept;
    /// The same with an error of any category, which is what SpawnError::code() then is.
    [[nodiscard]] std::error_code fail(const std::error_code& error, const char* what) noexcept;

    explicit Side(detail::FailureSlot& slot) noexcept : slot_(&slot) {}

private:
    detail::FailureSlot* slot_;
};

}  // namespace syncspawn
