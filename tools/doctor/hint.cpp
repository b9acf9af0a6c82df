#include "hint.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string_view>
#include <system_error>
#include <vector>

#include <syncspawn/sandbox/machine.hpp>

namespace syncspawn::tools {
namespace {

using sandbox::Ability;
using sandbox::Machine;

// The call that the text begins with: "mount 'proc'", "unshare(CLONE_NEWUSER): ...".
std::string_view call_in(std::string_view text) {
    return text.substr(0, text.find_first_of(" (:"));
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
    return std::find(std::begin(all), std::end(all), call) != std::end(all);
}

using Suspects = std::vector<Ability>;

Suspects namespaces_of(const sandbox::NamespaceAbilities& all) {
    return {all.mounts, all.processes, all.network, all.ipc, all.host_name, all.cgroup, all.time};
}

// What the failure may be about. The cause of all else comes first.
Suspects suspects(const SpawnError& error, const SpawnOptions& options, const Machine& machine) {
    const bool has_user = (options.birth.namespaces & Namespaces::user) != Namespaces::none;
    const auto& abilities = has_user ? machine.in_user_namespace : machine.alone;
    const Ability user = has_user ? machine.user_namespace : Ability();
    const std::string& detail = error.detail();
    const std::string_view call = call_in(detail);
    if (error.stage() == Stage::start || call == "unshare" || call.starts_with("clone")) {
        Suspects all = namespaces_of(abilities);
        all.insert(all.begin(), user);
        return options.birth.namespaces == Namespaces::none && call != "unshare" ? Suspects() : all;
    }
    if (is_about_maps(detail)) {
        return {user};
    }
    if (is_about_mounts(call)) {
        return {user, abilities.mounts,
                contains(detail, "proc") ? abilities.fresh_proc : Ability()};
    }
    if (call == "ioctl" || call == "socket") {
        return {user, abilities.network};
    }
    if (call == "sethostname" || call == "setdomainname") {
        return {user, abilities.host_name};
    }
    if (contains(call, "landlock")) {
        return {machine.landlock};
    }
    return call == "seccomp" ? Suspects{machine.system_call_filters} : Suspects();
}

// EPERM and EACCES are one refusal: by the parent's way and the child's.
bool is_the_same(int one, int other) {
    const auto kind = [](int error) { return error == EACCES ? EPERM : error; };
    return kind(one) == kind(other);
}

}  // namespace

std::string hint_after(const SpawnError& error, const SpawnOptions& options) {
    const std::error_code code = error.code();
    const bool is_from_the_kernel =
        code.category() == std::system_category() || code.category() == std::generic_category();
    if (error.cause() != Cause::error || !is_from_the_kernel) {
        return {};
    }
    for (const Ability& suspect : suspects(error, options, Machine::probe())) {
        if (!suspect && is_the_same(suspect.refusal.value(), code.value())) {
            return suspect.cause + (suspect.remedy.empty() ? "" : "; " + suspect.remedy);
        }
    }
    return {};
}

std::string explanation_of(const SpawnError& error, const SpawnOptions& options) {
    std::string text = error.what();
    std::string hint = hint_after(error, options);
    if (hint.empty()) {
        return text;
    }
    hint = " (" + hint + ")";
    const std::string own = " (" + error.hint() + ")";
    const std::size_t at = error.hint().empty() ? std::string::npos : text.find(own);
    return at == std::string::npos ? text + hint : text.replace(at, own.size(), hint);
}

}  // namespace syncspawn::tools
