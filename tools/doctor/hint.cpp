#include "hint.hpp"

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <syncspawn/sandbox/machine.hpp>

namespace syncspawn::tools {
namespace {

using sandbox::Ability;
using sandbox::Machine;

bool contains_one_of(std::string_view text, std::initializer_list<std::string_view> parts) {
    return std::any_of(parts.begin(), parts.end(), [text](std::string_view part) {
        return text.find(part) != std::string_view::npos;
    });
}

// Names one of the calls that mount, or is of the step that makes a tree.
bool is_about_mounts(std::string_view detail) {
    constexpr std::string_view calls[]{"mount",      "umount2",   "pivot_root",
                                       "move_mount", "open_tree", "fsopen",
                                       "fsconfig",   "fsmount",   "mount_setattr"};
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz_0123456789";
    bool is_found = detail.starts_with("mounts: ");
    while (!is_found && !detail.empty()) {
        const std::size_t end = std::min(detail.find_first_not_of(letters), detail.size());
        is_found =
            std::find(std::begin(calls), std::end(calls), detail.substr(0, end)) != std::end(calls);
        detail.remove_prefix(std::min(end + 1, detail.size()));
    }
    return is_found;
}

using Suspects = std::vector<Ability>;

Suspects namespaces_of(const sandbox::NamespaceAbilities& all) {
    return {all.mounts, all.processes, all.network, all.ipc, all.host_name, all.cgroup, all.time};
}

// What the failed part of a step may be about, by the calls that it names.
Suspects suspects_of_step(std::string_view detail, const Ability& user,
                          const sandbox::NamespaceAbilities& abilities, const Machine& machine) {
    if (contains_one_of(detail, {"uid_map", "gid_map", "/setgroups"})) {
        return {user};
    }
    if (detail.starts_with("proc ")) {
        return {user, abilities.mounts, abilities.fresh_proc};
    }
    if (is_about_mounts(detail)) {
        return {user, abilities.mounts};
    }
    if (detail.starts_with("lo ") || detail.starts_with("ioctl")) {
        return {user, abilities.network};
    }
    if (detail.starts_with("sethostname") || detail.starts_with("setdomainname")) {
        return {user, abilities.host_name};
    }
    if (contains_one_of(detail, {"landlock"})) {
        return {machine.landlock};
    }
    return detail.starts_with("seccomp") ? Suspects{machine.system_call_filters} : Suspects();
}

// What the failure may be about. The cause of all else comes first.
Suspects suspects(const SpawnError& error, const SpawnOptions& options, const Machine& machine) {
    const Namespaces asked = options.birth.namespaces;
    const bool has_user = (asked & Namespaces::user) != Namespaces::none;
    const auto& abilities = has_user ? machine.in_user_namespace : machine.alone;
    const Ability user = has_user ? machine.user_namespace : Ability();
    const std::string& detail = error.detail();
    const bool is_birth = error.stage() == Stage::start && asked != Namespaces::none;
    if (is_birth || detail.starts_with("unshare")) {
        Suspects all = namespaces_of(abilities);
        all.insert(all.begin(), user);
        return all;
    }
    return error.stage() == Stage::step ? suspects_of_step(detail, user, abilities, machine)
                                        : Suspects();
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
    const bool is_setup = error.stage() == Stage::start || error.stage() == Stage::step;
    if (error.cause() != Cause::error || !is_setup || !is_from_the_kernel) {
        return {};
    }
    try {
        for (const Ability& suspect : suspects(error, options, Machine::probe())) {
            if (!suspect && is_the_same(suspect.refusal.value(), code.value())) {
                return suspect.cause + (suspect.remedy.empty() ? "" : "; " + suspect.remedy);
            }
        }
    } catch (const std::system_error&) {
        // No child can be made, so nothing can be tried. The error is told without a hint.
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
