#include "hint.hpp"

#include <cerrno>
#include <string_view>
#include <vector>

#include <syncspawn/sandbox/machine.hpp>

namespace syncspawn::tools {
namespace {

using sandbox::Ability;
using sandbox::Machine;

// The call that the text begins with: "mount 'proc'", "unshare(CLONE_NEWUSER): ...".
std::string_view call_in(std::string_view text) {
    return text.substr(0, text.find_first_of(" (:'"));
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

bool is_about_maps(std::string_view detail) {
    return contains(detail, "uid_map") || contains(detail, "gid_map") ||
           contains(detail, "/setgroups");
}

bool is_about_mounts(std::string_view call) {
    constexpr std::string_view all[]{"mount",      "umount2",   "pivot_root",
                                     "move_mount", "open_tree", "fsopen",
                                     "fsconfig",   "fsmount",   "mount_setattr"};
    for (const std::string_view one : all) {
        if (one == call) {
            return true;
        }
    }
    return false;
}

// What this machine refuses of that which the failure is about; the cause of all else comes first.
std::vector<Ability> suspects(const SpawnError& error, const Machine& machine) {
    const sandbox::NamespaceAbilities& inside = machine.in_user_namespace;
    const std::string& detail = error.detail();
    const std::string_view call = call_in(detail);
    const bool makes_namespaces =
        error.stage() == Stage::start || call == "unshare" || call == "clone" || call == "clone3";
    if (makes_namespaces) {
        return {machine.user_namespace, inside.mounts, inside.processes, inside.network, inside.ipc,
                inside.host_name,       inside.cgroup, inside.time};
    }
    if (is_about_maps(detail)) {
        return {machine.user_namespace};
    }
    if (is_about_mounts(call)) {
        return {machine.user_namespace, inside.mounts,
                contains(detail, "proc") ? inside.fresh_proc : Ability()};
    }
    if (call == "ioctl" || call == "socket") {
        return {machine.user_namespace, inside.network};
    }
    if (call == "sethostname" || call == "setdomainname") {
        return {machine.user_namespace, inside.host_name};
    }
    if (contains(call, "landlock")) {
        return {machine.landlock};
    }
    if (call == "seccomp") {
        return {machine.system_call_filters};
    }
    return {};
}

// EPERM and EACCES are one refusal: by the parent's way and the child's.
bool is_the_same(int one, int other) {
    const auto kind = [](int error) { return error == EACCES ? EPERM : error; };
    return kind(one) == kind(other);
}

}  // namespace

std::string hint_after(const SpawnError& error) {
    const std::error_code code = error.code();
    const bool is_from_the_kernel =
        code.category() == std::system_category() || code.category() == std::generic_category();
    if (error.cause() != Cause::error || !is_from_the_kernel) {
        return {};
    }
    for (const Ability& suspect : suspects(error, Machine::probe())) {
        if (!suspect && is_the_same(suspect.refusal.value(), code.value())) {
            return suspect.cause + (suspect.remedy.empty() ? "" : "; " + suspect.remedy);
        }
    }
    return {};
}

}  // namespace syncspawn::tools
