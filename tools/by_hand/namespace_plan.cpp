#include "namespace_plan.hpp"

#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include <syncspawn/sandbox/machine.hpp>

#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {
namespace {

#if defined(__SANITIZE_THREAD__)
#define SYNCSPAWN_HAS_THREAD_SANITIZER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SYNCSPAWN_HAS_THREAD_SANITIZER
#endif
#endif

#ifdef SYNCSPAWN_HAS_THREAD_SANITIZER
// It takes clone(3) for a fork, so the child must have memory of its own.
int start_trial(int namespaces) {
    const long child = syscall(SYS_clone, namespaces, nullptr, nullptr, nullptr, 0);
    if (child == 0) {
        syscall(SYS_exit_group, 0);
    }
    return static_cast<int>(child);
}
#else
// Returning ends the child. A call of _exit(2) would be told to the sanitizers, which do not know this stack.
int end_at_once(void*) { return 0; }

int start_trial(int namespaces) {
    constexpr std::size_t size = 16384;
    alignas(16) std::array<char, size> stack;
    return clone(end_at_once, stack.data() + size, CLONE_VM | CLONE_VFORK | namespaces, nullptr);
}
#endif

// Some machines let a user namespace be made, and then take its capabilities away: so it is used, too.
bool can_make_user_namespace() {
    // No SIGCHLD at its end: nobody hears of it.
    const int child = start_trial(CLONE_NEWUSER | CLONE_NEWUTS);
    while (child > 0 && waitpid(child, nullptr, __WALL) < 0 && errno == EINTR) {
    }
    return child > 0;
}

bool has_cgroup_namespaces() { return access("/proc/self/ns/cgroup", F_OK) == 0; }

bool wants_own_map(const Surroundings& wanted) {
    const IdMapWish& maps = wanted.maps;
    return maps.is_root || maps.is_automatic || !maps.users.empty() || !maps.groups.empty();
}

class Planning {
public:
    Planning(const Surroundings& wanted, Manner manner, std::vector<std::string>& left_out)
        : wanted_(wanted), manner_(manner), left_out_(left_out) {}

    NamespacePlan plan() {
        add(Namespaces::ipc, wanted_.unshare.ipc != Wanted::no);
        add(Namespaces::pid, wanted_.unshare.pid != Wanted::no);
        add(Namespaces::uts, wanted_.unshare.uts != Wanted::no);
        add(Namespaces::network, wanted_.unshare.network != Wanted::no ||
                                     (wanted_.loopback && wanted_.joined.network.empty()));
        add(Namespaces::mount,
            manner_ == Manner::as_bubblewrap || !wanted_.files.operations().empty());
        add(Namespaces::cgroup, wants_cgroup());
        add(Namespaces::user, makes_user_namespace());
        return plan_;
    }

private:
    void add(Namespaces one, bool is_wanted) {
        plan_.made = is_wanted ? plan_.made | one : plan_.made;
    }

    bool wants_cgroup() {
        if (wanted_.unshare.cgroup == Wanted::try_it && !has_cgroup_namespaces()) {
            left_out_.emplace_back("a cgroup namespace: this kernel has none");
            return false;
        }
        return wanted_.unshare.cgroup != Wanted::no;
    }

    bool makes_user_namespace() {
        if (wanted_.joined.user >= 0) {
            return false;
        }
        if (wanted_.unshare.user == Wanted::yes || wants_own_map(wanted_)) {
            return true;
        }
        const bool takes_privilege = plan_.made != Namespaces::none || wanted_.time_offsets ||
                                     !wanted_.joined.network.empty();
        if (takes_privilege && !has_sys_admin()) {
            return true;
        }
        if (wanted_.unshare.user != Wanted::try_it) {
            return false;
        }
        if (!can_make_user_namespace()) {
            left_out_.push_back("a user namespace: " +
                                sandbox::Machine::here().user_namespace.to_string());
            return false;
        }
        return true;
    }

    const Surroundings& wanted_;
    Manner manner_;
    std::vector<std::string>& left_out_;
    NamespacePlan plan_{};
};

void require(bool is_met, const char* what, const char* advice) {
    if (!is_met) {
        throw UsageError(what, advice);
    }
}

void check_joined(const Surroundings& wanted) {
    const JoinedNamespaces& joined = wanted.joined;
    require(joined.user < 0 || wanted.unshare.user != Wanted::yes,
            "--userns not compatible --unshare-user", "join a user namespace, or make one");
    require(joined.user < 0 || !wants_own_map(wanted),
            "--userns: the ids of a namespace that is joined are mapped already",
            "leave --map-uid, --map-gid, --map-root and --map-auto out");
    require(joined.pid < 0 || wanted.unshare.pid == Wanted::no,
            "--pidns not compatible --unshare-pid", "join a pid namespace, or make one");
    require(joined.network.empty() || wanted.unshare.network == Wanted::no,
            "--netns not compatible --unshare-net", "join a network namespace, or make one");
}

void check_made(const Surroundings& wanted, const NamespacePlan& plan, Manner manner) {
    const bool has_user = plan.makes(Namespaces::user) || wanted.joined.user >= 0;
    require(!wanted.user || has_user, "Specifying --uid requires --unshare-user or --userns",
            "add --unshare-user");
    require(!wanted.group || has_user, "Specifying --gid requires --unshare-user or --userns",
            "add --unshare-user");
    require(!wanted.host_name || plan.makes(Namespaces::uts),
            "Specifying --hostname requires --unshare-uts", "add --unshare-uts");
    require(!wanted.loopback || wanted.joined.network.empty() || !plan.makes(Namespaces::user),
            "--loopback: a new user namespace has no say over the network of --netns",
            "leave --loopback out, and bring the device up outside");
    require(!wanted.as_pid_1 || plan.makes(Namespaces::pid),
            "Specifying --as-pid-1 requires --unshare-pid", "add --unshare-pid");
    // bubblewrap wants it named, even where it makes one unasked.
    const bool is_named = wanted.unshare.user != Wanted::no || manner == Manner::safe_defaults;
    require(!wanted.disable_userns || (plan.makes(Namespaces::user) && is_named),
            "--disable-userns requires --unshare-user", "add --unshare-user");
}

}  // namespace

bool has_sys_admin() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
    return syscall(SYS_capget, &header, sets.data()) == 0 &&
           (sets[0].effective & (1U << unsigned{CAP_SYS_ADMIN})) != 0;
}

NamespacePlan plan_namespaces(const Surroundings& surroundings, Manner manner,
                              std::vector<std::string>& left_out) {
    check_joined(surroundings);
    const NamespacePlan plan = Planning(surroundings, manner, left_out).plan();
    check_made(surroundings, plan, manner);
    return plan;
}

}  // namespace syncspawn::tools
