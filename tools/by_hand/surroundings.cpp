#include "surroundings.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <climits>
#include <stdexcept>
#include <utility>

#include <syncspawn/sandbox/network.hpp>

#include "child_parts.hpp"
#include "file_operations.hpp"
#include "id_maps.hpp"
#include "joining.hpp"
#include "launcher_side.hpp"
#include "namespace_plan.hpp"
#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {
namespace {

std::string present_directory() {
    char path[PATH_MAX];
    return getcwd(path, sizeof path) != nullptr && path[0] == '/' ? path : "";
}

// Where it cannot be written, the launch would fail.
bool can_forbid_user_namespaces() {
    constexpr const char* most = "/proc/sys/user/max_user_namespaces";
    struct statvfs about {};
    return statvfs(most, &about) == 0 && (about.f_flag & ST_RDONLY) == 0;
}

// The program gets none of these. The first three are its streams.
void close_in_program(const std::vector<int>& descriptors) {
    for (const int descriptor : descriptors) {
        if (descriptor > STDERR_FILENO) {
            fcntl(descriptor, F_SETFD, FD_CLOEXEC);
        }
    }
}

Step host_name_step(const std::string& name) {
    try {
        return sandbox::host_name(name);
    } catch (const std::invalid_argument& error) {
        throw UsageError(std::string("--hostname: ") + error.what());
    }
}

Step cgroup_step(const sandbox::CgroupLimits& limits) {
    try {
        return sandbox::cgroup(limits);
    } catch (const sandbox::CgroupError& error) {
        std::string problems;
        for (const sandbox::CgroupProblem& problem : error.problems()) {
            problems += (problems.empty() ? "" : "; ") + problem.to_string();
        }
        throw std::runtime_error("--cgroup: " + problems);
    } catch (const std::invalid_argument& error) {
        throw UsageError(std::string("--cgroup: ") + error.what());
    }
}

class Building {
public:
    Building(SyncedSpawner& spawner, const Surroundings& wanted, Manner manner,
             std::vector<std::string>& left_out)
        : wanted_(wanted),
          manner_(manner),
          left_out_(left_out),
          plan_(plan_namespaces(wanted, manner, left_out)),
          options_(spawner.options()) {}

    void build(SyncedSpawner& spawner) {
        settle_launcher();
        enter_namespaces();
        lay_out_files();
        open_network();
        settle_end();
        set_options();
        SyncedSpawner changed = spawner.with(std::move(options_));
        for (Step& step : steps_) {
            changed.step(std::move(step));
        }
        spawner = std::move(changed);
    }

private:
    void add(Step step) { steps_.push_back(std::move(step)); }
    void add_all(std::vector<Step> steps) {
        for (Step& step : steps) {
            add(std::move(step));
        }
    }
    [[nodiscard]] bool is_sandbox() const {
        return manner_ == Manner::as_bubblewrap || wanted_.is_sandboxing();
    }

    void settle_launcher();
    void enter_namespaces();
    void forbid_nested();
    void lay_out_files();
    void open_network();
    void settle_end();
    void set_options();
    void choose_start();

    const Surroundings& wanted_;
    Manner manner_;
    std::vector<std::string>& left_out_;
    NamespacePlan plan_;
    IdSteps ids_ = id_steps(wanted_, plan_);
    SpawnOptions options_;
    std::vector<Step> steps_{};
};

void Building::settle_launcher() {
    if (wanted_.cgroup) {
        add(cgroup_step(*wanted_.cgroup));
    }
    const bool may_have_groups = manner_ == Manner::safe_defaults && wanted_.is_sandboxing() &&
                                 geteuid() == 0 && has_sys_admin() && getgroups(0, nullptr) > 0;
    if (may_have_groups) {
        add(clear_groups());
    }
    if (wanted_.joined.user >= 0) {
        add(join_user_namespace(wanted_.joined.user));
    }
    if (wanted_.die_with_parent == Choice::on) {
        add(die_with_own_parent());
    }
}

void Building::enter_namespaces() {
    const std::string& network = wanted_.joined.network;
    const bool is_network_outside = plan_.makes(Namespaces::user) && has_sys_admin();
    if (!network.empty() && is_network_outside) {
        add(be_born_in_network(network));
    }
    add_all(std::move(ids_.first));
    forbid_nested();
    if (!network.empty() && !is_network_outside) {
        add(join_network(network));
    }
    if (plan_.makes(Namespaces::cgroup) && wanted_.cgroup) {
        add(sandbox::new_cgroup_namespace());
    }
    if (wanted_.time_offsets) {
        add(sandbox::time_offsets(*wanted_.time_offsets));
    }
    if (wanted_.host_name) {
        add(host_name_step(*wanted_.host_name));
    }
}

void Building::forbid_nested() {
    const bool is_default = manner_ == Manner::safe_defaults && wanted_.is_sandboxing() &&
                            plan_.makes(Namespaces::user) &&
                            wanted_.nested_user_namespaces != Choice::on;
    if (wanted_.disable_userns || (is_default && can_forbid_user_namespaces())) {
        add(sandbox::no_nested_user_namespaces());
    } else if (is_default) {
        left_out_.emplace_back(
            "no nested user namespaces: /proc/sys/user/max_user_namespaces cannot be written here");
    }
    if (wanted_.assert_userns_disabled) {
        add(assert_no_user_namespaces());
    }
}

void Building::lay_out_files() {
    if (manner_ == Manner::as_bubblewrap || !wanted_.files.operations().empty()) {
        const bool has_own_processes = plan_.makes(Namespaces::pid) || wanted_.joined.pid >= 0;
        add_all(steps_for(wanted_.files, manner_,
                          has_own_processes ? Processes::of_its_own : Processes::of_the_host,
                          left_out_));
        close_in_program(wanted_.files.descriptors());
    }
}

void Building::open_network() {
    if (plan_.makes(Namespaces::network) || wanted_.loopback) {
        add(sandbox::loopback_up());
    }
}

void Building::settle_end() {
    add_all(std::move(ids_.last));
    if (wanted_.joined.second_user >= 0) {
        add(join_second_user_namespace(wanted_.joined.second_user));
    }
}

void Building::set_options() {
    Birth& birth = options_.birth;
    const bool leaves_cgroup_later = wanted_.cgroup.has_value();
    const Namespaces at_birth =
        leaves_cgroup_later
            ? static_cast<Namespaces>(static_cast<std::uint32_t>(plan_.made) &
                                      ~static_cast<std::uint32_t>(Namespaces::cgroup))
            : plan_.made;
    birth.namespaces = birth.namespaces | at_birth;
    if (plan_.makes(Namespaces::pid) && !wanted_.as_pid_1) {
        birth.first_process = FirstProcess::reaper;
    }
    if (wanted_.joined.pid >= 0) {
        birth.pid_namespace = wanted_.joined.pid;
    }
    if (wanted_.joined.user >= 0) {
        // Whoever owns the namespace may look into what is in it.
        birth.method = StartMethod::copied_memory;
    }
    const bool dies_by_default =
        manner_ == Manner::safe_defaults && wanted_.die_with_parent != Choice::off && is_sandbox();
    options_.ending.die_with_parent =
        options_.ending.die_with_parent || dies_by_default || wanted_.die_with_parent == Choice::on;
    if (is_sandbox()) {
        choose_start();
    }
}

void Building::choose_start() {
    const std::string& chosen = options_.working_directory;
    const std::string directory = chosen.empty() ? present_directory() : chosen;
    if (directory.starts_with('/')) {
        options_.environment.set("PWD", directory);
    }
    const bool is_another_tree =
        manner_ == Manner::as_bubblewrap || !wanted_.files.operations().empty();
    // The barrier's variables are in an environment that nobody may replace.
    const bool may_replace =
        options_.readiness.hand_over == HandOver::nothing && !options_.readiness.within.has_value();
    if (chosen.empty() && is_another_tree && may_replace) {
        add(start_in(directory, options_.environment));
    }
}

}  // namespace

void UnsharedNamespaces::set_all() {
    user = user == Wanted::yes ? Wanted::yes : Wanted::try_it;
    cgroup = cgroup == Wanted::yes ? Wanted::yes : Wanted::try_it;
    ipc = pid = network = uts = Wanted::yes;
}

bool Surroundings::is_sandboxing() const {
    const auto is_wanted = [](Wanted wanted) { return wanted != Wanted::no; };
    return is_wanted(unshare.user) || is_wanted(unshare.ipc) || is_wanted(unshare.pid) ||
           is_wanted(unshare.network) || is_wanted(unshare.uts) || is_wanted(unshare.cgroup) ||
           joined.user >= 0 || joined.second_user >= 0 || joined.pid >= 0 ||
           !joined.network.empty() || !maps.users.empty() || !maps.groups.empty() ||
           maps.is_automatic || user || group || host_name || disable_userns ||
           assert_userns_disabled || nested_user_namespaces == Choice::off || loopback ||
           time_offsets || !files.operations().empty() || restrictions_are_sandboxing;
}

void add_to(SyncedSpawner& spawner, const Surroundings& surroundings, Manner manner,
            std::vector<std::string>& left_out) {
    std::vector<std::string> new_ones;
    Building building(spawner, surroundings, manner, new_ones);
    if (manner == Manner::safe_defaults) {
        surroundings.files.require_complete();
    }
    building.build(spawner);
    if (surroundings.left_out == LeftOut::refused && !new_ones.empty()) {
        throw UsageError("--strict: " + new_ones.front(), "leave --strict out to do without it");
    }
    left_out.insert(left_out.end(), new_ones.begin(), new_ones.end());
}

}  // namespace syncspawn::tools
