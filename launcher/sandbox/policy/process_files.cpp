#include "process_files.hpp"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "barrier/linux/proc.hpp"

namespace syncspawn::sandbox {
namespace {

namespace proc = detail::proc;

struct Mount {
    std::string id;
    std::string place;
    std::string options;
};

std::vector<Mount> mounts_in(const std::string& process_directory) {
    std::vector<Mount> mounts;
    std::ifstream file(process_directory + "/mountinfo");
    std::string parent;
    std::string device;
    std::string root;
    std::string rest;
    for (Mount one; file >> one.id >> parent >> device >> root >> one.place >> one.options;) {
        std::getline(file, rest);
        mounts.push_back(one);
    }
    return mounts;
}

// The root's own mount is the last that lies on "/".
std::optional<Mount> root_mount_in(const std::string& process_directory) {
    std::optional<Mount> found;
    for (Mount& one : mounts_in(process_directory)) {
        if (one.place == "/") {
            found = std::move(one);
        }
    }
    return found;
}

std::string text_in(const std::string& path) {
    std::ifstream file(path);
    std::string text;
    for (std::string word; file >> word;) {
        text += (text.empty() ? "" : " ") + word;
    }
    return text;
}

int count_numbers(const std::string& process) {
    proc::File status("/proc/", process, "/status");
    return proc::own_numbers(status).count;
}

}  // namespace

std::string ProcessFiles::status(const std::string& key) const {
    return proc::status_text(pid_, key + ":");
}

void ProcessFiles::look_at_namespace(Evidence& evidence, const std::string& kind) const {
    struct stat theirs {};
    struct stat ours {};
    const std::string path = "/ns/" + kind;
    if (stat((directory_ + path).c_str(), &theirs) < 0 ||
        stat(("/proc/self" + path).c_str(), &ours) < 0) {
        const std::string sign = sign_of_another(kind);
        evidence.note(sign.empty() ? Reading::unread : Reading::confirmed,
                      sign.empty() ? kind + " namespace: " + why_not() : sign);
        return;
    }
    const bool is_another = theirs.st_ino != ours.st_ino;
    evidence.note_if(is_another, kind + ":[" + std::to_string(theirs.st_ino) + "] is " +
                                     (is_another ? "not " : "") + "ours");
}

// A process that is not dumpable shows its namespaces to few. Other files are for everybody, and a few of them tell.
std::string ProcessFiles::sign_of_another(const std::string& kind) const {
    if (kind == "pid" && count_numbers(std::to_string(pid_)) > count_numbers("self")) {
        return "NSpid has a number more than ours";
    }
    if (kind == "mnt") {
        const auto root = root_mount_in(directory_);
        const std::vector<Mount> ours = mounts_in("/proc/self");
        const auto is_roots = [&](const Mount& one) { return one.id == root->id; };
        if (root && !ours.empty() && std::none_of(ours.begin(), ours.end(), is_roots)) {
            return "mount " + root->id + " is none of ours";
        }
    }
    if (kind == "user") {
        const std::string theirs = text_in(directory_ + "/uid_map");
        const std::string ours = text_in("/proc/self/uid_map");
        if (!theirs.empty() && !ours.empty() && theirs != ours) {
            return "uid_map " + theirs + " is not ours";
        }
    }
    return {};
}

void ProcessFiles::look_at_status(Evidence& evidence, const std::string& key,
                                  const std::string& wanted) const {
    const std::string value = status(key);
    if (value.empty()) {
        evidence.note(Reading::unread, key + ": " + why_not());
    } else {
        evidence.note_if(value == wanted, key + " " + value);
    }
}

// In many containers all processes have one. Their number is known since Linux 5.9.
void ProcessFiles::look_at_filter(Evidence& evidence) const {
    const std::string key = "Seccomp_filters";
    const std::string theirs = status(key);
    const std::string ours = proc::status_text("thread-self", key + ":");
    const bool has_none_of_ours = prctl(PR_GET_SECCOMP) == 0;
    if (has_none_of_ours || status("Seccomp") != "2") {
        look_at_status(evidence, "Seccomp", "2");
    } else if (theirs.empty() || ours.empty() || std::stoul(theirs) <= std::stoul(ours)) {
        evidence.note(Reading::unread, "Seccomp 2, and this process has a filter, too");
    } else {
        evidence.note(Reading::confirmed, key + " " + theirs + ", and this process has " + ours);
    }
}

void ProcessFiles::look_at_user(Evidence& evidence, uid_t wanted) const {
    const std::string ids = status("Uid");
    if (!ids.empty()) {
        evidence.note_if(ids.substr(0, ids.find('\t')) == std::to_string(wanted), "Uid " + ids);
    }
}

void ProcessFiles::look_at_root(Evidence& evidence, bool is_read_only) const {
    const auto root = root_mount_in(directory_);
    if (!root) {
        evidence.note(Reading::unread, "mountinfo: " + why_not());
    } else if (is_read_only) {
        evidence.note_if(root->options.starts_with("ro"), "'/' is mounted " + root->options);
    }
}

void ProcessFiles::look_at_limit(Evidence& evidence, const std::string& name,
                                 std::uint64_t wanted) const {
    std::ifstream file(directory_ + "/limits");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(name)) {
            std::istringstream words(line.substr(name.size()));
            std::string soft;
            std::string hard;
            words >> soft >> hard;
            const std::string text = wanted == RLIM_INFINITY ? "unlimited" : std::to_string(wanted);
            evidence.note_if(soft == text && hard == text,
                             name + " " + soft + (hard == soft ? "" : " of " + hard));
            return;
        }
    }
    evidence.note(Reading::unread, name + ": " + why_not());
}

void ProcessFiles::look_at_cpus(Evidence& evidence, double wanted) const {
    cpu_set_t allowed;
    if (sched_getaffinity(pid_, sizeof allowed, &allowed) < 0) {
        evidence.note(Reading::unread, "CPUs: " + why_not());
        return;
    }
    const int count = CPU_COUNT(&allowed);
    evidence.note_if(count <= std::ceil(wanted), std::to_string(count) + " CPUs");
}

void ProcessFiles::look_at_number(Evidence& evidence) const {
    proc::File file("/proc/", pid_, "/status");
    const proc::OwnNumbers numbers = proc::own_numbers(file);
    if (numbers.count == 0) {
        evidence.note(Reading::unread, "NSpid: " + why_not());
    } else {
        evidence.note_if(numbers.last == 1, "NSpid " + std::to_string(numbers.last));
    }
}

// In a user namespace root of the host may look like anybody; then nothing can be told.
void ProcessFiles::look_at_dumpable(Evidence& evidence, uid_t its_user) const {
    struct stat about {};
    struct stat of_root {};
    if (stat((directory_ + "/mem").c_str(), &about) < 0) {
        evidence.note(Reading::unread, "dumpable: " + why_not());
    } else if (stat("/proc/version", &of_root) == 0 && of_root.st_uid != its_user) {
        const bool is_dumpable = about.st_uid == its_user;
        evidence.note_if(!is_dumpable, is_dumpable ? "dumpable" : "not dumpable");
    }
}

std::string ProcessFiles::why_not() const {
    return status("State").starts_with("Z") || access(directory_.c_str(), F_OK) < 0
               ? "the program has ended"
               : "this process may not look";
}

}  // namespace syncspawn::sandbox
