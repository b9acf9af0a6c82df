#pragma once

#include <string_view>

#include <syncspawn/barrier/visibility.h>

/// What a sandbox promises, and what holds it.
///
///     #include <syncspawn/sandbox/enforcement.hpp>
///
///     int main() {
///         using syncspawn::sandbox::Guarantee;
///         return syncspawn::sandbox::name_of(Guarantee::network) == "network" ? 0 : 1;
///     }
///
/// A policy is a list of guarantees. Each is held by a mechanism of the kernel, the best that this machine has.

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

}  // namespace syncspawn::sandbox
