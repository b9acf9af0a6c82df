#pragma once

#include <chrono>
#include <cstdint>

/// syncspawn::ResourceUsage: what a program has used, once it has ended.
///
///     #include <cstdio>
///     #include <syncspawn/launcher.hpp>
///
///     int main() {
///         syncspawn::Process child = syncspawn::SyncedSpawner({.program = "true"}).spawn();
///         child.wait();
///         const auto usage = child.usage();  // nothing if somebody else has reaped it
///         if (usage) {
///             std::printf("%.3f s of processor time, %.1f MB at most\n",
///                         std::chrono::duration<double>(usage->processor_time()).count(),
///                         static_cast<double>(usage->max_resident_bytes) / 1e6);
///         }
///         return usage ? 0 : 1;
///     }
///
/// The kernel counts it for wait4(2); see getrusage(2).

namespace syncspawn {

/// What a process has used from its start, before its execve, to its end. That of its own children is in it
/// if it waited for them, and else in nobody's.
struct ResourceUsage {
    std::chrono::nanoseconds user_time{};    ///< in the program and its libraries
    std::chrono::nanoseconds system_time{};  ///< in the kernel, on its behalf
    /// The most memory that it had in RAM at one time; of it and the children it waited for, the largest
    /// one alone. What it had *before* its execve counts, too. That is *your* process's memory, shared or
    /// copied (StartMethod): so for a small program this says how large your own process is.
    std::uint64_t max_resident_bytes = 0;
    std::uint64_t minor_faults = 0;          ///< page faults that needed no disk
    std::uint64_t major_faults = 0;          ///< page faults that did
    std::uint64_t voluntary_switches = 0;    ///< how often it waited for something
    std::uint64_t involuntary_switches = 0;  ///< how often another one got its processor

    /// User and system time.
    [[nodiscard]] std::chrono::nanoseconds processor_time() const noexcept {
        return user_time + system_time;
    }

    friend bool operator==(const ResourceUsage&, const ResourceUsage&) = default;
};

}  // namespace syncspawn
