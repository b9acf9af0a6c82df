#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include <syncspawn/launcher/synced_spawner.hpp>
#include <syncspawn/sandbox/cgroup.hpp>
#include <syncspawn/sandbox/namespaces.hpp>
#include <syncspawn/steps.hpp>

#include "file_layout.hpp"

// The world of a program, laid out by hand: bubblewrap's vocabulary as data, and made into steps of a launch.

namespace syncspawn::tools {

enum class Wanted { no, yes, try_it };

// A default that can be turned off, or asked for where it is none.
enum class Choice { by_manner, on, off };

// What holds where the command line says nothing.
enum class Manner {
    safe_defaults,  // `syncspawn run`: nested user namespaces off, ends with its parent, /proc masked
    as_bubblewrap,  // `syncspawn-bwrap`: what bubblewrap gives
};

// What to do when something that may be left out has to be.
enum class LeftOut { listed, refused };

struct UnsharedNamespaces {
    Wanted user = Wanted::no;
    Wanted ipc = Wanted::no;
    Wanted pid = Wanted::no;
    Wanted network = Wanted::no;
    Wanted uts = Wanted::no;
    Wanted cgroup = Wanted::no;

    // --unshare-all: user and cgroup as far as they can be had.
    void set_all();
};

// Namespaces that are there already. Descriptors are borrowed until the launch is over.
struct JoinedNamespaces {
    int user = -1;          // --userns
    int second_user = -1;   // --userns2, entered last
    int pid = -1;           // --pidns
    std::string network{};  // --netns: a path
};

struct IdMapWish {
    std::vector<steps::IdRange> users{};   // --map-uid
    std::vector<steps::IdRange> groups{};  // --map-gid
    bool is_root = false;                  // --map-root
    bool is_automatic = false;             // --map-auto: root, and all that /etc/subuid gives
    bool is_written_by_others = false;     // --userns-block-fd: not by us
};

struct Surroundings {
    UnsharedNamespaces unshare{};
    JoinedNamespaces joined{};
    IdMapWish maps{};
    std::optional<uid_t> user{};   // --uid, inside
    std::optional<gid_t> group{};  // --gid, inside
    std::optional<std::string> host_name{};
    bool disable_userns = false;
    bool assert_userns_disabled = false;
    Choice nested_user_namespaces = Choice::by_manner;
    bool as_pid_1 = false;
    Choice die_with_parent = Choice::by_manner;
    bool loopback = false;
    std::optional<sandbox::TimeOffsets> time_offsets{};
    std::optional<sandbox::CgroupLimits> cgroup{};  // one of its own, with these limits

    FileLayout files{};

    LeftOut left_out = LeftOut::listed;
    bool restrictions_are_sandboxing = false;  // then the defaults of a sandbox hold here, too

    // The first that was given of those that a policy cannot stand beside.
    std::string first_option{};

    [[nodiscard]] bool is_used() const noexcept {
        return !first_option.empty() || die_with_parent != Choice::by_manner;
    }
    // Whether the defaults of a sandbox hold. --map-root and --die-with-parent alone do not ask for one.
    [[nodiscard]] bool is_sandboxing() const;
};

// Adds namespaces, maps, host name, mounts and network to a launch: options, and steps behind those that are there.
// Without an explicit working_directory the program starts where this process is, if that is there inside, else in
// HOME, else in "/"; PWD says so.
//
// Throws UsageError for what can never work, and for a source that is missing. `left_out` gets a line for each thing
// that a -try option has given up. Where nothing was asked for, nothing changes.
void add_to(SyncedSpawner& spawner, const Surroundings& surroundings, Manner manner,
            std::vector<std::string>& left_out);

}  // namespace syncspawn::tools
