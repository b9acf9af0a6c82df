#include "read_back.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <syncspawn/sandbox/cgroup.hpp>

#include "barrier/linux/proc.hpp"

namespace syncspawn::sandbox {
namespace {

namespace proc = detail::proc;

// What several looks at the kernel have come to: one that refutes counts, and then one that could not be made.
class Evidence {
public:
    void note(Reading reading, const std::string& text) {
        const bool is_worse = reading == Reading::refuted ||
                              (reading == Reading::unread && reading_ != Reading::refuted);
        reading_ = is_empty_ || is_worse ? reading : reading_;
        text_ += (text_.empty() ? "" : ", ") + text;
        is_empty_ = false;
    }
    void note_if(bool is_so, const std::string& text) {
        note(is_so ? Reading::confirmed : Reading::refuted, text);
    }
    EnforcedGuarantee take(const Holding& holding) && {
        if (is_empty_) {
            return {holding, Reading::unread, "the kernel does not tell"};
        }
        return {holding, reading_, std::move(text_)};
    }

private:
    Reading reading_ = Reading::confirmed;
    std::string text_;
    bool is_empty_ = true;
};

class ProcessFiles {
public:
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    explicit ProcessFiles(pid_t pid) : pid_(pid), directory_("/proc/" + std::to_string(pid)) {}

    // Whether the process is in another namespace of this kind than the caller.
    void look_at_namespace(Evidence& evidence, const std::string& kind) const {
        struct stat theirs {};
        struct stat ours {};
        const std::string path = "/ns/" + kind;
        if (stat((directory_ + path).c_str(), &theirs) < 0 ||
            stat(("/proc/self" + path).c_str(), &ours) < 0) {
            evidence.note(Reading::unread, kind + " namespace: " + why_not());
            return;
        }
        const bool is_another = theirs.st_ino != ours.st_ino;
        evidence.note_if(is_another, kind + ":[" + std::to_string(theirs.st_ino) + "] is " +
                                         (is_another ? "not " : "") + "ours");
    }

    // Whether a line of its status begins with this value, as it should.
    void look_at_status(Evidence& evidence, const std::string& key,
                        const std::string& wanted) const {
        const std::string value = status(key);
        if (value.empty()) {
            evidence.note(Reading::unread, key + ": " + why_not());
        } else {
            evidence.note_if(value == wanted, key + " " + value);
        }
    }

    [[nodiscard]] std::string status(const std::string& key) const {
        return proc::status_text(pid_, key + ":");
    }

    // The root's own mount is the last that lies on "/".
    void look_at_root(Evidence& evidence, bool is_read_only) const {
        std::ifstream file(directory_ + "/mountinfo");
        std::optional<std::string> options;
        for (std::string id, parent, device, root, place, rest;
             file >> id >> parent >> device >> root >> place;) {
            std::string own;
            file >> own;
            std::getline(file, rest);
            if (place == "/") {
                options = own;
            }
        }
        if (!options) {
            evidence.note(Reading::unread, "mountinfo: " + why_not());
        } else if (is_read_only) {
            evidence.note_if(options->starts_with("ro"), "'/' is mounted " + *options);
        }
    }

    // The soft limit, as /proc/PID/limits has it.
    void look_at_limit(Evidence& evidence, const std::string& name, std::uint64_t wanted) const {
        std::ifstream file(directory_ + "/limits");
        for (std::string line; std::getline(file, line);) {
            if (line.starts_with(name)) {
                const std::string soft = first_word(line.substr(name.size()));
                evidence.note_if(soft == std::to_string(wanted), name + " " + soft);
                return;
            }
        }
        evidence.note(Reading::unread, name + ": " + why_not());
    }

    [[nodiscard]] std::string why_not() const {
        return status("State").starts_with("Z") || access(directory_.c_str(), F_OK) < 0
                   ? "the program has ended"
                   : "this process may not look";
    }

private:
    static std::string first_word(const std::string& text) {
        const std::size_t begin = text.find_first_not_of(' ');
        return begin == std::string::npos ? "" : text.substr(begin, text.find(' ', begin) - begin);
    }

    pid_t pid_;
    std::string directory_;
};

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
    ReadBack(pid_t pid, const Policy& policy, const Decisions& decisions)
        : process_(pid), policy_(policy), decisions_(decisions) {}

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
                process_.look_at_status(evidence, "Seccomp", "2");
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
            process_.look_at_status(evidence, "Seccomp", "2");
        }
        if (decisions_.scopes_abstract_sockets) {
            evidence.note(Reading::unread, no_words_for_landlock);
        }
    }

    void look_at_processes(Evidence& evidence) const {
        if (decisions_.has_pid_namespace) {
            process_.look_at_namespace(evidence, "pid");
        } else {
            evidence.note(Reading::unread, no_words_for_landlock);
        }
    }

    void look_at_privileges(Evidence& evidence) const {
        if (policy_.privileges.no_new_privileges) {
            process_.look_at_status(evidence, "NoNewPrivs", "1");
        }
        if (policy_.privileges.capabilities.empty()) {
            process_.look_at_status(evidence, "CapPrm", "0000000000000000");
            process_.look_at_status(evidence, "CapEff", "0000000000000000");
            process_.look_at_status(evidence, "CapAmb", "0000000000000000");
        }
        if (decisions_.has_user_namespace) {
            process_.look_at_namespace(evidence, "user");
        }
        const std::string host_user = std::to_string(decisions_.ids.host_user);
        const std::string uid = process_.status("Uid");
        if (!uid.empty()) {
            evidence.note_if(uid.substr(0, uid.find('\t')) == host_user, "Uid " + uid);
        }
    }

    void look_at_cgroup(Evidence& evidence) const {
        try {
            const CgroupState state = read_cgroup(process_.pid());
            std::string limits;
            for (const auto& [name, value] : state.limits) {
                limits += " " + name + "=" + value;
            }
            evidence.note_if(!limits.empty(), "cgroup '" + state.directory + "'" + limits);
        } catch (const std::system_error& error) {
            evidence.note(Reading::unread, error.what());
        }
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
        const Limits& wanted = policy_.limits;
        if (holding.mechanism == "the scheduler") {
            look_at_scheduler(evidence);
        }
        if (holding.mechanism == "a cgroup") {
            look_at_cgroup(evidence);
        }
        if (holding.mechanism != "rlimits") {
            return;
        }
        if (wanted.open_files) {
            process_.look_at_limit(evidence, "Max open files", *wanted.open_files);
        }
        if (wanted.file_size) {
            process_.look_at_limit(evidence, "Max file size", *wanted.file_size);
        }
        if (wanted.core_size) {
            process_.look_at_limit(evidence, "Max core file size", *wanted.core_size);
        }
        if (wanted.cpu_time) {
            process_.look_at_limit(evidence, "Max cpu time",
                                   static_cast<std::uint64_t>(wanted.cpu_time->count()));
        }
    }

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
    const ReadBack look(has_reaper ? program_of(process) : process, policy, decisions);
    Enforcement report;
    for (const Holding& holding : decisions.holdings) {
        report.guarantees.push_back(look.look_at(holding));
    }
    return report;
}

}  // namespace syncspawn::sandbox
