#pragma once

#include <system_error>

#include <syncspawn/barrier/visibility.h>

/// syncspawn::Side: how your code in a step says whether it worked.
///
///     #include <stdio.h>
///     #include <sys/stat.h>
///     #include <syncspawn/launcher.hpp>
///
///     int main() {
///         syncspawn::SyncedSpawner spawner({.program = "true"});
///         spawner.step({.name = "scratch directory", .parent = [](syncspawn::ParentSide& side) {
///                           return mkdir("/proc/x", 0700) < 0 ? side.fail("mkdir '/proc/x'") : side.done();
///                       }});
///         syncspawn::SpawnError error;
///         (void)spawner.spawn(error);
///         puts(error.what());
///         return error.side() == syncspawn::WhichSide::parent ? 0 : 1;
///     }
///
/// It prints
///
///     scratch directory in the parent: mkdir '/proc/x': no such file or directory
///
/// Side, step and errno are there by themselves. You name the call that failed.

namespace syncspawn {

namespace detail {
struct FailureSlot;
}

/// The two sides of a launch.
enum class WhichSide { parent, child };

/// What a failed call was about. The error then says what to do (SpawnError::hint()) where its errno alone
/// would mislead. The library never guesses this from your words.
enum class Hint {
    none,
    id_map,   ///< writing uid_map, gid_map or setgroups of the child's user namespace
    session,  ///< setsid(2) in the child
};

/// What ParentSide and ChildSide have in common. Everything here is async-signal-safe.
class SYNCSPAWN_API Side {
public:
    /// Success. A part that cannot fail may return void instead.
    [[nodiscard]] std::error_code done() const noexcept { return {}; }
    /// Failure: `what` is the call that failed, `error` its errno. The text is copied, and cut at 120
    /// bytes. An errno of 0 becomes ECANCELED. Return what this returns.
    [[nodiscard]] std::error_code fail(int error, const char* what,
                                       Hint hint = Hint::none) noexcept;
    /// The same with the current errno.
    [[nodiscard]] std::error_code fail(const char* what, Hint hint = Hint::none) noexcept;
    /// The same with an error of any category, which SpawnError::code() then is.
    [[nodiscard]] std::error_code fail(const std::error_code& error, const char* what) noexcept;

    explicit Side(detail::FailureSlot& slot) noexcept : slot_(&slot) {}

private:
    detail::FailureSlot* slot_;
};

}  // namespace syncspawn
