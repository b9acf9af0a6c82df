#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <syncspawn/barrier/visibility.h>

/// What a sandbox promises, what holds it, and what the kernel says of that.
///
///     #include <syncspawn/sandbox/enforcement.hpp>
///
///     int main() {
///         using syncspawn::sandbox::Guarantee;
///         return syncspawn::sandbox::name_of(Guarantee::network) == "network" ? 0 : 1;
///     }
///
/// A policy is a list of guarantees. Each is held by a mechanism of the kernel, the best that this machine has.
/// Sandbox::explain() tells which, before the launch. Sandbox::enforcement() reads back, from a program that
/// runs, whether it is so.

namespace syncspawn::sandbox {

/// What can be promised about a program.
enum class Guarantee {
    files,     ///< it reads and writes what the policy lets it, nothing else
    network,   ///< it reaches what the policy names, nothing else
    services,  ///< it reaches no service of the host through a unix socket
    processes,  ///< it neither sees nor signals a process outside, and none of its own outlives the launch
    privileges,    ///< it has no more privileges than the policy says, and cannot get more
    system_calls,  ///< it makes no system call that the policy forbids
    limits,        ///< it uses no more than the policy gives it
};

/// "files", "network" and so on: the words of reports and policy files.
[[nodiscard]] SYNCSPAWN_API std::string_view name_of(Guarantee guarantee) noexcept;

/// What holds a guarantee.
struct Holding {
    Guarantee guarantee = Guarantee::files;
    std::string mechanism;  ///< "a mount namespace"
    /// False: this is the second choice, which Policy::accept_weaker has let in.
    bool is_whole = true;
    std::string gap{};  ///< what it cannot do; may be empty

    /// "network: socket families by seccomp; but ..."
    [[nodiscard]] SYNCSPAWN_API std::string to_string() const;
};

/// What the kernel says about a guarantee.
enum class Reading {
    confirmed,  ///< it is held as planned
    refuted,    ///< it is not
    unread,     ///< the kernel could not be asked, or has no words for it
};

/// A guarantee of a program that runs.
struct EnforcedGuarantee {
    Holding holding{};
    Reading reading = Reading::unread;
    /// What was read: "mnt:[4026532281] is not ours", "NoNewPrivs 1". Or why nothing was.
    std::string evidence{};
};

/// A report. A value.
struct Enforcement {
    std::vector<EnforcedGuarantee> guarantees{};

    /// Whether the kernel contradicts none.
    [[nodiscard]] SYNCSPAWN_API bool is_as_planned() const noexcept;
    /// A line for each.
    [[nodiscard]] SYNCSPAWN_API std::string to_string() const;
};

}  // namespace syncspawn::sandbox
