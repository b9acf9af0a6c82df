#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "barrier/linux/proc.hpp"
#include "groups.hpp"
#include "trial.hpp"

namespace syncspawn::tools {
namespace {

using sandbox::Ability;
using sandbox::Machine;

// What is mounted below /proc, each once.
std::vector<std::string> covered_parts_of_proc() {
    std::ifstream mounts("/proc/self/mountinfo");
    std::vector<std::string> parts;
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream words(line);
        std::string word;
        for (int at = 0; at < 5; ++at) {
            words >> word;
        }
        const bool is_new = std::find(parts.begin(), parts.end(), word) == parts.end();
        // Where formats of programs are registered there is nothing below to be seen.
        if (word.starts_with("/proc/") && word != "/proc/sys/fs/binfmt_misc" && is_new) {
            parts.push_back(word);
        }
    }
    return parts;
}

Finding uncovered_proc() {
    const std::vector<std::string> parts = covered_parts_of_proc();
    Finding finding{.name = "confinement.proc", .label = "all of /proc"};
    if (access("/proc/self/mountinfo", R_OK) < 0) {
        return finding_of(finding.name, finding.label,
                          refusal(errno, "/proc/self/mountinfo", "/proc is not mounted here",
                                  "mount -t proc proc /proc"));
    }
    if (!parts.empty()) {
        finding.is_there = false;
        finding.call = "/proc/self/mountinfo";
        finding.cause = "parts of /proc are covered:";
        for (const std::string& part : parts) {
            finding.cause += " " + part;
        }
        finding.remedy =
            "start the container with an uncovered /proc (Docker: --security-opt "
            "systempaths=unconfined)";
    }
    return finding;
}

std::string profile_of_apparmor() {
    std::ifstream file("/proc/self/attr/current");
    std::string profile;
    std::getline(file, profile);
    return profile;
}

Finding apparmor(const Machine& machine) {
    const bool is_restricted =
        detail::proc::number_in("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
            .value_or(0) != 0;
    const std::string profile = profile_of_apparmor();
    Finding finding{.name = "confinement.apparmor",
                    .label = "AppArmor allows user namespaces",
                    .detail = is_restricted ? "it restricts user namespaces, but not those of this "
                                              "process"
                                            : ""};
    const Ability& user = machine.user_namespace;
    const Ability& mounts = machine.in_user_namespace.mounts;
    for (const Ability& one : {user, mounts}) {
        if (one.cause.find("AppArmor") != std::string::npos) {
            return finding_of(finding.name, finding.label, one);
        }
    }
    if (!profile.empty() && profile != "unconfined") {
        finding.detail += (finding.detail.empty() ? "profile " : "; profile ") + profile;
    }
    return finding;
}

}  // namespace

FindingGroup confinement(const Machine& machine) {
    FindingGroup group{"confinement", "Confinement"};
    std::string detail;
    const Ability calls = try_system_calls(detail);
    Finding all = finding_of("confinement.system_calls", "all system calls", calls, detail);
    all.error.clear();  // there are several, and the cause names them
    group.findings.push_back(std::move(all));
    group.findings.push_back(apparmor(machine));
    group.findings.push_back(uncovered_proc());
    return group;
}

}  // namespace syncspawn::tools
