#include "read_back.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>

#include "barrier/linux/proc.hpp"
#include "cgroup_limits.hpp"
#include "launcher/sandbox/limits/hierarchy.hpp"
#include "process_files.hpp"

namespace syncspawn::sandbox {
namespace {

namespace proc = detail::proc;

// And on no others.
bool runs_on_these(pid_t pid, const std::vector<int>& cpus) {
    cpu_set_t actual;
    cpu_set_t wanted;
    CPU_ZERO(&wanted);
    for (const int cpu : cpus) {
        CPU_SET(static_cast<std::size_t>(cpu), &wanted);
    }
    return sched_getaffinity(pid, sizeof actual, &actual) == 0 && CPU_EQUAL(&actual, &wanted);
}

constexpr const char* no_words_for_landlock =
    "the kernel shows Landlock nowhere; the step has succeeded";

class ReadBack {
public:
    // Both are the same where the program is the first process, or there is no pid namespace.
    ReadBack(pid_t first, pid_t program, const Policy& policy, const Decisions& decisions)
        : first_(first), process_(program), policy_(policy), decisions_(decisions) {}

    EnforcedGuarantee look_at(const Holding& holding) const {
        Evidence evidence;
        switch (holding.guarantee) {
            case Guarantee::files:
                look_at_files(evidence);
                break;
            case Guarantee::network:
            case Guarantee::services:
                look_at_network(evidence);
                break;
            case Guarantee::processes:
                look_at_processes(evidence);
                break;
            case Guarantee::privileges:
                look_at_privileges(evidence);
                break;
            case Guarantee::system_calls:
                process_.look_at_filter(evidence);
                break;
            case Guarantee::limits:
                look_at_limits(evidence, holding);
                break;
        }
        return std::move(evidence).take(holding);
    }

private:
    void look_at_files(Evidence& evidence) const {
        if (decisions_.files == FilesBy::mounts) {
            process_.look_at_namespace(evidence, "mnt");
            process_.look_at_root(evidence, policy_.files.tree != Tree::host);
        } else {
            evidence.note(Reading::unread, no_words_for_landlock);
        }
    }

    void look_at_network(Evidence& evidence) const {
        if (decisions_.network == NetworkBy::network_namespace) {
            process_.look_at_namespace(evidence, "net");
        } else if (decisions_.network == NetworkBy::socket_families) {
            process_.look_at_filter(evidence);
        }
        if (decisions_.scopes_abstract_sockets) {
            evidence.note(Reading::unread, no_words_for_landlock);
        }
    }

    void look_at_processes(Evidence& evidence) const {
        if (decisions_.has_pid_namespace) {
            process_.look_at_namespace(evidence, "pid");
            if (policy_.processes.reaper) {
                look_at_reaper(evidence);
            }
        } else {
            evidence.note(Reading::unread, no_words_for_landlock);
        }
    }

    void look_at_capabilities(Evidence& evidence, const ProcessFiles& process) const {
        if (policy_.privileges.no_new_privileges) {
            process.look_at_status(evidence, "NoNewPrivs", "1");
        }
        if (policy_.privileges.capabilities.empty()) {
            for (const char* const set : {"CapPrm", "CapEff", "CapAmb"}) {
                process.look_at_status(evidence, set, "0000000000000000");
            }
        }
    }

    void look_at_privileges(Evidence& evidence) const {
        look_at_capabilities(evidence, process_);
        if (decisions_.has_user_namespace) {
            process_.look_at_namespace(evidence, "user");
        }
        process_.look_at_user(evidence, decisions_.ids.host_user);
    }

    void look_at_cgroup(Evidence& evidence) const {
        const auto path = directory_of_process(std::to_string(process_.pid()));
        const UniqueFd directory(path ? open(path->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                                      : -1);
        if (!directory) {
            evidence.note(Reading::unread, "cgroup: " + process_.why_not());
            return;
        }
        Evidence limits;
        look_at_settings(limits, directory.get(),
                         settings_of(cgroup_limits_of(policy_, decisions_)));
        evidence.note(std::move(limits), "cgroup '" + *path + "': ");
    }

    void look_at_scheduler(Evidence& evidence) const {
        const Limits& wanted = policy_.limits;
        const pid_t pid = process_.pid();
        const int policy = pid > 0 ? sched_getscheduler(pid) : -1;
        if (policy < 0) {
            evidence.note(Reading::unread, "scheduling: " + process_.why_not());
            return;
        }
        if (wanted.scheduling != Scheduling::usual) {
            const int kind = wanted.scheduling == Scheduling::batch ? SCHED_BATCH : SCHED_IDLE;
            evidence.note_if(policy == kind, "scheduling policy " + std::to_string(policy));
        }
        if (wanted.nice) {
            const int nice = getpriority(PRIO_PROCESS, static_cast<id_t>(pid));
            evidence.note_if(nice == *wanted.nice, "nice value " + std::to_string(nice));
        }
        if (!wanted.allowed_cpus.empty()) {
            evidence.note_if(runs_on_these(pid, wanted.allowed_cpus),
                             "Cpus_allowed_list " + process_.status("Cpus_allowed_list"));
        }
    }

    void look_at_limits(Evidence& evidence, const Holding& holding) const {
        if (holding.mechanism == "the scheduler") {
            look_at_scheduler(evidence);
        } else if (holding.mechanism == "a cgroup") {
            look_at_cgroup(evidence);
        } else if (holding.mechanism == "rlimits") {
            look_at_own_limits(evidence);
        } else if (holding.mechanism == "rlimits and CPU affinity") {
            look_at_common_limits(evidence);
        }
    }

    void look_at_own_limits(Evidence& evidence) const {
        const Limits& wanted = policy_.limits;
        const auto look = [&](const char* name, const auto& limit) {
            if (limit) {
                process_.look_at_limit(evidence, name, *limit);
            }
        };
        look("Max open files", wanted.open_files);
        look("Max file size", wanted.file_size);
        look("Max core file size", wanted.core_size);
        if (wanted.cpu_time) {
            process_.look_at_limit(evidence, "Max cpu time",
                                   static_cast<std::uint64_t>(wanted.cpu_time->count()));
        }
    }

    // The second choice: of each process, or of the user.
    void look_at_common_limits(Evidence& evidence) const {
        const Limits& wanted = policy_.limits;
        if (wanted.memory) {
            process_.look_at_limit(evidence, "Max address space", *wanted.memory);
        }
        if (wanted.processes) {
            process_.look_at_limit(evidence, "Max processes", *wanted.processes);
        }
        if (wanted.cpus) {
            process_.look_at_cpus(evidence, *wanted.cpus);
        }
    }

    // The first process of the namespace is no way out for the program: it has as few privileges, and cannot be traced.
    void look_at_reaper(Evidence& evidence) const {
        const Ids& ids = decisions_.ids;
        Evidence reaper;
        first_.look_at_number(reaper);
        // The files of what is not dumpable are those of root, here or in its user namespace.
        if (ids.user != 0 && ids.host_user != 0) {
            first_.look_at_dumpable(reaper, ids.host_user);
        }
        first_.look_at_user(reaper, ids.host_user);
        look_at_capabilities(reaper, first_);
        evidence.note(std::move(reaper), "pid 1: ");
    }

    ProcessFiles first_;
    ProcessFiles process_;
    const Policy& policy_;
    const Decisions& decisions_;
};

// The reaper has no child before the program. 0, which is no process's, once that has ended. A process that is in
// no pid namespace of its own is no reaper, and speaks for itself.
pid_t program_of(pid_t reaper) {
    struct stat theirs {};
    const std::string path = "/proc/" + std::to_string(reaper) + "/ns/pid";
    if (stat(path.c_str(), &theirs) == 0 &&
        static_cast<std::int64_t>(theirs.st_ino) == proc::pid_namespace()) {
        return reaper;
    }
    const auto child = proc::number_in("/proc/", reaper, "/task/", reaper, "/children");
    return static_cast<pid_t>(child.value_or(0));
}

}  // namespace

Enforcement read_back(pid_t process, const Policy& policy, const Decisions& decisions) {
    const bool has_reaper = decisions.has_pid_namespace && policy.processes.reaper;
    const ReadBack look(process, has_reaper ? program_of(process) : process, policy, decisions);
    Enforcement report;
    for (const Holding& holding : decisions.holdings) {
        report.guarantees.push_back(look.look_at(holding));
    }
    return report;
}

}  // namespace syncspawn::sandbox
