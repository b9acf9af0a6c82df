#include "ruleset.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <system_error>

#include "barrier/linux/fresh_descriptor.hpp"
#include "kernel.hpp"
#include "plan.hpp"

namespace syncspawn::sandbox {
namespace {

[[noreturn]] void refuse(const std::string& call) {
    throw std::system_error(errno, std::generic_category(), call);
}

void require(bool is_met, const std::string& rule) {
    if (!is_met) {
        throw std::invalid_argument("landlock: " + rule);
    }
}

// What the kernel says of a path that is not there, or not any more, or is a link.
bool is_absence(int error) noexcept {
    return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

// Nothing if the rule is to be left out.
UniqueFd open_path(const LandlockPath& rule) {
    const bool is_exact = rule.lookup == LandlockLookup::if_present;
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = is_exact ? RESOLVE_NO_SYMLINKS : 0;
    UniqueFd fd(static_cast<int>(
        syscall(SYS_openat2, AT_FDCWD, rule.path.c_str(), &how, sizeof how)));  // Linux 5.6
    if (!fd && !(is_exact && is_absence(errno))) {
        refuse("landlock: open '" + rule.path + "'");
    }
    return fd;
}

void add_path(const UniqueFd& ruleset, const LandlockPath& rule, std::uint64_t known) {
    require(!rule.path.empty(), "a path is empty");
    require(rule.access != LandlockAccess::none, "the rule for '" + rule.path + "' allows nothing");
    const UniqueFd path = open_path(rule);
    if (!path) {
        return;
    }
    struct stat about {};
    if (fstat(path.get(), &about) < 0) {
        refuse("landlock: fstat '" + rule.path + "'");
    }
    std::uint64_t rights = rights_of(rule.access) & known;
    rights &= S_ISDIR(about.st_mode) ? ~std::uint64_t{0} : kernel::of_a_file;
    const kernel::PathRule added{rights, path.get()};
    // A rule of no rights is ENOMSG: it would allow nothing.
    if (rights != 0 &&
        syscall(SYS_landlock_add_rule, ruleset.get(), kernel::rule_of_path, &added, 0) < 0) {
        refuse("landlock: a rule for '" + rule.path + "'");
    }
}

void add_ports(const UniqueFd& ruleset, const std::optional<TcpPorts>& ports, std::uint64_t right) {
    for (const std::uint16_t port : ports.value_or(TcpPorts{})) {
        const kernel::PortRule added{right, port};
        if (syscall(SYS_landlock_add_rule, ruleset.get(), kernel::rule_of_port, &added, 0) < 0) {
            refuse("landlock: a rule for the TCP port " + std::to_string(port));
        }
    }
}

kernel::Ruleset handled_by(const LandlockRules& rules, int version) noexcept {
    kernel::Ruleset handled;
    if (rules.paths) {
        handled.files = rights_known_to(version);
    }
    if (version >= 4) {
        handled.network = (rules.bind_ports ? kernel::bind_tcp : 0) |
                          (rules.connect_ports ? kernel::connect_tcp : 0);
    }
    if (version >= 6) {
        const auto is_scoped = [&](LandlockScopes scope) {
            return (rules.scopes & scope) != LandlockScopes::none;
        };
        handled.scoped =
            (is_scoped(LandlockScopes::abstract_sockets) ? kernel::scope_abstract_sockets : 0) |
            (is_scoped(LandlockScopes::signals) ? kernel::scope_signals : 0);
    }
    return handled;
}

}  // namespace

UniqueFd make_ruleset(const LandlockRules& rules, const LandlockPlan& plan) {
    require(rules.paths || rules.bind_ports || rules.connect_ports ||
                rules.scopes != LandlockScopes::none,
            "the rules restrict nothing");
    const kernel::Ruleset handled = handled_by(rules, plan.version);
    if (handled.files == 0 && handled.network == 0 && handled.scoped == 0) {
        return {};
    }
    const long made = syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
    UniqueFd ruleset(detail::above_standard_streams(static_cast<int>(made)));
    if (!ruleset) {
        refuse("landlock_create_ruleset");
    }
    for (const LandlockPath& rule : rules.paths.value_or(LandlockPaths{})) {
        add_path(ruleset, rule, handled.files);
    }
    if (handled.network != 0) {
        add_ports(ruleset, rules.bind_ports, kernel::bind_tcp);
        add_ports(ruleset, rules.connect_ports, kernel::connect_tcp);
    }
    return ruleset;
}

}  // namespace syncspawn::sandbox
