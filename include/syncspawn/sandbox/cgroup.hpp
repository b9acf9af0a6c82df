#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <syncspawn/launcher/step.hpp>

/// What a program and all that it starts may use up together: cgroup v2.
///
///     #include <cstdio>
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/sandbox/cgroup.hpp>
///
///     namespace sandbox = syncspawn::sandbox;
///
///     int main() {
///         try {
///             syncspawn::SyncedSpawner spawner({.program = "sh", .arguments = {"-c", "setsid sleep 1000 &"}});
///             spawner.step(sandbox::cgroup({.memory = 500'000'000, .processes = 64}));
///             return spawner.spawn().wait().shell_code();  // the sleep has ended, too
///         } catch (const sandbox::CgroupError& error) {
///             std::puts(error.what());  // which limit, why this machine refuses it, and what to do
///         }
///     }
///
/// Every launch gets a cgroup of its own. It is made, with its limits, before the child exists, and the child is
/// born into it. When the program has ended, or the launch has failed, whatever is left in it is killed, and it is
/// removed.
///
/// A cgroup can be made where this process may write, and it has limits of those controllers that are passed on
/// there (cgroups(7), "delegation"). Most processes of a desktop or a server have no such place. The usual ways to one:
///
///     systemd-run --user --scope -p Delegate=yes ./program     # an ordinary user
///     systemd-run --scope -p Delegate=yes ./program            # root
///
/// with CgroupPlace::caller = Caller::moves, since a cgroup with processes in it passes nothing on.

namespace syncspawn::sandbox {

/// How fast one block device may be used. What is not set is not limited.
struct IoLimit {
    std::string device{};                             ///< "/dev/sda", or its numbers: "8:0"
    std::optional<std::uint64_t> read_bytes{};        ///< in a second
    std::optional<std::uint64_t> write_bytes{};       ///< in a second
    std::optional<std::uint64_t> read_operations{};   ///< in a second
    std::optional<std::uint64_t> write_operations{};  ///< in a second
};

/// How much memory there may be in huge pages of one size.
struct HugePageLimit {
    std::uint64_t page_size = 0;  ///< bytes: 2097152 and 1073741824 on x86-64
    std::uint64_t bytes = 0;      ///< 0: none
};

/// Whom the kernel kills when `memory` is used up and cannot be had back.
enum class OutOfMemory {
    kills_one,  ///< the process that frees most
    kills_all,  ///< everything in the cgroup (memory.oom.group, Linux 4.19)
};

/// What all processes of the cgroup have together. What is not set is not limited.
struct CgroupLimits {
    /// Bytes of memory, the cached parts of files among them (memory.max). If that is set and `swap` is not,
    /// nothing is swapped out.
    std::optional<std::uint64_t> memory{};
    /// Bytes from which on memory is taken back and the processes are slowed down, but none is killed
    /// (memory.high).
    std::optional<std::uint64_t> memory_high{};
    std::optional<std::uint64_t> swap{};  ///< bytes of swap space (memory.swap.max)
    OutOfMemory out_of_memory = OutOfMemory::kills_one;
    /// Processes and threads at the same time (pids.max). One more fails with EAGAIN.
    std::optional<std::uint64_t> processes{};
    /// The time of so many CPUs: 1.5, at least 0.01 (cpu.max, in periods of 100 ms).
    std::optional<double> cpus{};
    std::optional<unsigned>
        cpu_weight{};  ///< 1 to 10000 beside the usual 100: the share when all want (cpu.weight)
    std::vector<IoLimit> io{};  ///< io.max
    /// The same for block devices (io.weight).
    std::optional<unsigned> io_weight{};
    std::vector<HugePageLimit> huge_pages{};  ///< hugetlb.SIZE.max
};

/// Where the cgroups of launches are made.
struct CgroupPlace {
    /// The directory of the cgroup that gets them: "/sys/fs/cgroup/jobs". Empty: that of this process.
    std::string parent{};
    /// Where a cgroup has processes in it, the kernel lets it pass no controller on (EBUSY).
    enum class Caller {
        stays,  ///< this process stays where it is
        /// If this process is what is in the way, it moves, with all of its threads, into a new cgroup below
        /// `parent`. The other processes there, if there are any, stay and are in the way.
        moves,
    } caller = Caller::stays;
};

/// Why a limit, or every cgroup, is refused.
struct CgroupProblem {
    std::string
        limit{};  ///< "memory": the member of CgroupLimits; empty: no cgroup can be made at all
    std::string path{};       ///< the file or directory that it is about
    std::error_code error{};  ///< what the kernel said, or ENOTSUP
    std::string cause{};
    std::string remedy{};  ///< may be empty

    /// All of that in one line.
    [[nodiscard]] SYNCSPAWN_API std::string to_string() const;
};

/// All that is refused; what() has a line for each.
class SYNCSPAWN_API CgroupError : public std::system_error {
public:
    explicit CgroupError(std::vector<CgroupProblem> problems);
    [[nodiscard]] const std::vector<CgroupProblem>& problems() const noexcept { return problems_; }

private:
    std::vector<CgroupProblem> problems_;
};

/// What the processes of a cgroup have used, and which limits they met. "Nothing" where the controller is not
/// there, or the kernel too old.
struct CgroupUsage {
    std::optional<std::uint64_t> memory_peak{};     ///< bytes (Linux 5.19)
    std::optional<std::uint64_t> swap_peak{};       ///< bytes (Linux 6.5)
    std::optional<std::uint64_t> processes_peak{};  ///< processes and threads (Linux 6.1)
    std::optional<std::uint64_t>
        out_of_memory_kills{};                     ///< processes killed since memory was used up
    std::optional<std::uint64_t> refused_forks{};  ///< because of `processes`
    std::optional<std::uint64_t> refused_huge_pages{};  ///< because of `huge_pages`
    std::optional<std::uint64_t> cpu_microseconds{};
    std::optional<std::uint64_t> throttled_microseconds{};  ///< waited for, because of `cpus`
};

/// Gives each launch a cgroup with these limits. `at_end`, if you give it, gets the usage, when nothing runs in
/// the cgroup any more and before it is removed. It is called in the thread that reaps the program.
///
/// Throws std::invalid_argument for a limit that makes no sense, and CgroupError, with all problems at once, for
/// what this machine refuses: no limit is left out silently. Removes what dead launchers have left behind there,
/// as sweep_cgroups() does.
///
///  - The limits count from birth on, so the launch itself must fit in. A pid namespace's first process counts.
///  - With other steps that have child parts the child's memory is copied: see StartMethod.
///  - The program can change its limits if it may write to the cgroup's files, which belong to this process's user.
///    A Sandbox makes them read-only. With this step alone see to it yourself.
///  - Process::release() leaves the cgroup, with what is in it, to you.
///  - If something in the cgroup outlives SIGKILL by five seconds (an uninterruptible call), the cgroup stays, and
///    Process::after_end_failures() says so.
[[nodiscard]] SYNCSPAWN_API Step cgroup(const CgroupLimits& limits, const CgroupPlace& place = {},
                                        std::function<void(const CgroupUsage&)> at_end = {});

/// What cgroup() would throw; empty if nothing. Throws std::invalid_argument as that does. To find out, the
/// controllers are enabled where the cgroups would be made, and with Caller::moves this process moves.
[[nodiscard]] SYNCSPAWN_API std::vector<CgroupProblem> cgroup_problems(
    const CgroupLimits& limits, const CgroupPlace& place = {});

/// The cgroup that a process is in, as the kernel has it.
struct CgroupState {
    std::string directory{};                      ///< "/sys/fs/cgroup/jobs/syncspawn-..."
    std::map<std::string, std::string> limits{};  ///< what is limited: {"memory.max", "500000000"}
    CgroupUsage usage{};                          ///< so far
};
/// Throws std::system_error if the process is not there, or its cgroup is out of sight.
[[nodiscard]] SYNCSPAWN_API CgroupState read_cgroup(pid_t process);

/// Removes the cgroups of launches that are empty and whose launcher is dead: it was killed, and could not do so
/// itself. Says how many. Throws std::system_error if `parent` cannot be read.
SYNCSPAWN_API std::size_t sweep_cgroups(const CgroupPlace& place = {});

/// What this machine lets this process do with cgroups.
struct CgroupFacts {
    std::string mount{};   ///< where cgroup v2 is mounted; empty: nowhere
    std::string own{};     ///< the directory of this process's cgroup; empty: out of sight
    std::string parent{};  ///< where cgroups of launches can be made; empty: nowhere
    std::vector<std::string>
        controllers{};  ///< those that can have limits there: "memory", "pids" ...
    std::vector<CgroupProblem> problems{};  ///< why there is no parent, or why others can have none
};
/// Found by making a cgroup there, and removing it, with what dead launchers have left there. Changes nothing else.
[[nodiscard]] SYNCSPAWN_API CgroupFacts cgroup_facts(const CgroupPlace& place = {});

}  // namespace syncspawn::sandbox
