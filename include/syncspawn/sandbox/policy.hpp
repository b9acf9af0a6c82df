#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/sandbox/door.hpp>
#include <syncspawn/sandbox/enforcement.hpp>

/// syncspawn::sandbox::Policy: what must hold for a program.
///
///     #include <chrono>
///     #include <syncspawn/sandbox/policy.hpp>
///
///     using namespace std::chrono_literals;
///     using syncspawn::sandbox::Network;
///     using syncspawn::sandbox::Policy;
///
///     int main() {
///         const Policy policy{.files = {.writable = {"/src"},
///                                       .protected_paths = {"/src/.git"},
///                                       .hidden = {"/home/me/.ssh"}},
///                             .network = Network::loopback,
///                             .limits = {.memory = 2'000'000'000, .processes = 256, .wall_clock = 10min}};
///         return policy.privileges.no_new_privileges ? 0 : 1;
///     }
///
/// A policy says what must hold, not how. It has no order: for a file, the longest path that is named
/// decides. Sandbox finds the mechanisms that hold it on this machine, or says why there are none.
///
/// `Policy{}` is strict: the program reads the host's files and writes only to a /tmp of its own. It has no
/// network, sees no process but its own, has no privileges, and ends with this process. What you name
/// loosens that; what you do not want can be turned off by its name.

namespace syncspawn::sandbox {

/// What the paths that no rule names are to the program.
enum class Tree {
    host_read_only,  ///< the host's files, to be read
    host,            ///< the host's files, as the program's user may use them
    named_only,      ///< not there: it sees what is named, and nothing else
};

/// The files. Paths are absolute, and those of the host, before anything is set up.
///
///     {.writable = {"/src"}, .read_only = {"/src/vendor"}, .hidden = {"/src/vendor/keys"}}
///
/// A rule holds for a path and all that is below it, unless a longer path says otherwise. Symbolic links are
/// followed when the Sandbox is made. But `writable` and `read_only` follow none that lies where the program may
/// write: an earlier program may have made it. /sys, /proc/sys and their kin are read-only even where "/" is writable,
/// unless they are named.
struct Files {
    Tree tree = Tree::host_read_only;
    std::vector<std::string> writable{};   ///< must exist
    std::vector<std::string> read_only{};  ///< must exist
    /// Cannot be written, removed, replaced or moved, whatever is allowed around it. If it does not exist, it
    /// cannot be made. If it is a symbolic link, that holds for the link and for what it leads to.
    std::vector<std::string> protected_paths{};
    /// Cannot be opened, neither a file nor a directory. One that does not exist is left alone.
    std::vector<std::string> hidden{};
    /// An empty /tmp of its own, which TMPDIR names, and which is gone with the program. The host's /tmp and
    /// /var/tmp are out of sight, but for the paths in them that are named here.
    bool private_tmp = true;
    /// A minimal /dev: null, zero, full, random, urandom, tty, pts, shm, and the links to descriptors. False: the
    /// host's, under the rules above.
    bool device_tree = true;

    friend bool operator==(const Files&, const Files&) = default;
};

/// The network that the program has.
enum class Network {
    none,      ///< no socket but unix ones; with Policy::doors, those that lead to them, too
    loopback,  ///< a loopback device of its own: its processes reach each other, nothing else
    host,      ///< the network of this process
};

/// A descriptor of this process that the program keeps. Bindings says which one.
struct NamedDescriptor {
    std::string name{};  ///< that Bindings has
    int number = -1;     ///< that it has in the program: 3 or more

    friend bool operator==(const NamedDescriptor&, const NamedDescriptor&) = default;
};

enum class TreeAccess { read_only, writable };

/// A directory with all that is below it, or a file, that this process has open, at a path of the program's. Bindings
/// says which one. The path must be there on the host, or lie where the sandbox has files of its own: in the private
/// tmp, in what is hidden, in Tree::named_only. It takes a mount namespace.
///
/// Nothing that Files hide may be below it, and if it is writable, nothing that they protect, nor a symbolic link by
/// which that is reached. Nor a service or a /proc, unless the policy gives the program those of the host.
struct NamedTree {
    std::string name{};  ///< that Bindings has
    std::string path{};  ///< absolute; of no rule of Files
    TreeAccess access = TreeAccess::read_only;

    friend bool operator==(const NamedTree&, const NamedTree&) = default;
};

/// The services of the host that listen on unix sockets: D-Bus, docker, agents, X11.
enum class Services {
    none,  ///< out of reach, but for a socket whose path Files names
    host,  ///< those whose sockets the program's user may use
};

/// The processes that the program sees, and how they end.
struct Processes {
    /// It neither sees nor signals a process outside.
    bool isolated = true;
    /// A small process of the library is pid 1, and reaps what the program leaves behind. False: the program is
    /// pid 1 itself. Then signals that it does not handle do nothing to it.
    bool reaper = true;
    /// Everything ends when this process ends, however it ends.
    bool die_with_parent = true;
    /// True: when the program has ended, the processes that it has left behind run on until the last has
    /// ended. False: they end with it. It takes the reaper.
    bool outlive = false;

    friend bool operator==(const Processes&, const Processes&) = default;
};

/// How the program's turn comes: sched(7).
enum class Scheduling {
    usual,  ///< as this process's
    batch,  ///< as one that computes for long and answers nobody (SCHED_BATCH)
    idle,   ///< when nobody else wants to run (SCHED_IDLE)
};

/// What the program may use up. One that is not set is not limited.
struct Limits {
    std::optional<std::uint64_t> memory{};  ///< bytes, of all its processes together
    /// Bytes from which on they are slowed down, and memory is taken back. Only a cgroup holds that, and the next one.
    std::optional<std::uint64_t> memory_high{};
    std::optional<std::uint64_t> swap{};  ///< bytes of swap space; not set: none, if `memory` is
    std::optional<std::uint64_t> processes{};  ///< processes and threads, together
    std::optional<double> cpus{};              ///< 1.5: one CPU and a half, together
    /// Their share when others want the CPUs, or the disks, too: 1 to 10000, where 100 is usual. Only a cgroup holds that.
    std::optional<std::uint64_t> cpu_weight{};
    std::optional<std::uint64_t> io_weight{};
    /// The numbers of the CPUs that it begins on; empty: those of this process. It may choose others again.
    std::vector<int> allowed_cpus{};
    std::optional<int> nice{};  ///< -20 to 19: see steps::nice()
    Scheduling scheduling = Scheduling::usual;
    std::optional<std::uint64_t> open_files{};       ///< descriptors of each process
    std::optional<std::uint64_t> file_size{};        ///< bytes, of each file that it writes
    std::optional<std::uint64_t> core_size = 0;      ///< bytes, of each core dump
    std::optional<std::chrono::seconds> cpu_time{};  ///< of each process
    /// From execve on. Then everything is killed.
    std::optional<std::chrono::nanoseconds> wall_clock{};

    friend bool operator==(const Limits&, const Limits&) = default;
};

/// Who the program is, and what that lets it do.
struct Privileges {
    /// The capabilities that it keeps, by name: "CAP_NET_BIND_SERVICE". They are worth what the namespaces
    /// of the sandbox make of them.
    std::vector<std::string> capabilities{};
    /// The ids that it sees itself as. Not set: those that it has outside.
    std::optional<uid_t> user{};
    std::optional<gid_t> group{};
    /// The ids that the host sees it as, and that own the files it makes. Not set: those of this process. But
    /// root (with CAP_SYS_ADMIN) launches it as nobody (65534) where that id is mapped; say 0 if it is to stay root.
    std::optional<uid_t> host_user{};
    std::optional<gid_t> host_group{};
    /// Set-user-ID programs and file capabilities give it nothing: PR_SET_NO_NEW_PRIVS(2const).
    bool no_new_privileges = true;
    /// It may make user namespaces of its own.
    bool nested_user_namespaces = false;
    /// It does not have the keys of this session: keyrings(7).
    bool new_session_keyring = true;

    friend bool operator==(const Privileges&, const Privileges&) = default;
};

/// The system calls that it may make.
struct SystemCalls {
    /// Those that no ordinary program needs and that attackers use are denied: EPERM, or ENOSYS where a C library
    /// then falls back.
    bool default_deny_set = true;
    std::vector<std::string> denied{};   ///< by name, beside those: "ptrace"
    std::vector<std::string> allowed{};  ///< taken out of the default set, by name

    friend bool operator==(const SystemCalls&, const SystemCalls&) = default;
};

/// What must hold. An aggregate: name the members in the order in which they are declared.
struct Policy {
    Files files{};
    Network network = Network::none;
    std::vector<Door> doors{};  ///< the ways out of Network::none and Network::loopback
    Services services = Services::none;
    /// What the program has beside its standard streams, and beside what SpawnOptions pass. All else is closed.
    std::vector<NamedDescriptor> descriptors{};
    std::vector<NamedTree> trees{};
    Processes processes{};
    Limits limits{};
    Privileges privileges{};
    SystemCalls system_calls{};
    std::string host_name{};  ///< that it sees; empty: the host's
    /// The guarantees that may be held by a weaker mechanism, where this machine refuses the one that holds them
    /// whole. Sandbox::explain() and Enforcement say what it cannot do. All others refuse.
    std::vector<Guarantee> accept_weaker{};

    friend bool operator==(const Policy&, const Policy&) = default;
};

}  // namespace syncspawn::sandbox
