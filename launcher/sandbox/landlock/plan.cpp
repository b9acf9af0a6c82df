#include "plan.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

#include "kernel.hpp"

namespace syncspawn::sandbox {
namespace {

template <class Flags>
bool has(Flags all, Flags one) noexcept {
    return (all & one) != Flags::none;
}

struct Part {
    LandlockParts part;
    int version;  // that brings it
    const char* name;
};
constexpr Part parts[]{
    {LandlockParts::move, 2, "renaming to another directory (Linux 5.19)"},
    {LandlockParts::truncate, 3, "truncating (Linux 6.2)"},
    {LandlockParts::tcp_ports, 4, "TCP ports (Linux 6.7)"},
    {LandlockParts::control, 5, "ioctl on devices (Linux 6.10)"},
    {LandlockParts::abstract_sockets, 6, "abstract sockets (Linux 6.12)"},
    {LandlockParts::signals, 6, "signals (Linux 6.12)"},
    {LandlockParts::log, 7, "logging of what the program is refused (Linux 6.15)"},
};

struct Group {
    LandlockAccess access;
    std::uint64_t rights;
};
constexpr Group groups[]{
    {LandlockAccess::read, kernel::read_file},
    {LandlockAccess::list, kernel::read_directory},
    {LandlockAccess::execute, kernel::execute},
    {LandlockAccess::write, kernel::write_file | kernel::truncate},
    {LandlockAccess::make, kernel::make_file | kernel::make_directory | kernel::make_symbolic_link |
                               kernel::make_fifo | kernel::make_socket},
    {LandlockAccess::remove, kernel::remove_file | kernel::remove_directory},
    {LandlockAccess::move, kernel::refer},
    {LandlockAccess::devices, kernel::make_character_device | kernel::make_block_device},
    {LandlockAccess::control, kernel::ioctl_device},
};

LandlockParts wanted_by(const LandlockRules& rules, const LandlockOptions& options) noexcept {
    LandlockParts wanted = LandlockParts::none;
    if (rules.paths) {
        wanted = LandlockParts::truncate | LandlockParts::control;
        // A kernel without it forbids it to all.
        if (std::any_of(rules.paths->begin(), rules.paths->end(), [](const LandlockPath& rule) {
                return has(rule.access, LandlockAccess::move);
            })) {
            wanted = wanted | LandlockParts::move;
        }
    }
    if (rules.bind_ports || rules.connect_ports) {
        wanted = wanted | LandlockParts::tcp_ports;
    }
    if (has(rules.scopes, LandlockScopes::abstract_sockets)) {
        wanted = wanted | LandlockParts::abstract_sockets;
    }
    if (has(rules.scopes, LandlockScopes::signals)) {
        wanted = wanted | LandlockParts::signals;
    }
    return options.log == LandlockLog::refusals ? wanted | LandlockParts::log : wanted;
}

const char* reason_of(int error) noexcept {
    switch (error) {
        case ENOSYS:
            return "this kernel has no Landlock (Linux 5.13, CONFIG_SECURITY_LANDLOCK), or a "
                   "filter hides it";
        case EOPNOTSUPP:
            return "Landlock is switched off at boot: lsm= must name it";
        default:
            return "Landlock is refused, by a seccomp filter maybe";
    }
}

}  // namespace

LandlockSupport landlock_support() noexcept {
    const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, kernel::ask_for_version);
    return version < 0 ? LandlockSupport{.error = errno}
                       : LandlockSupport{.version = static_cast<int>(version)};
}

int landlock_version() noexcept { return landlock_support().version; }

LandlockPlan plan_for(int version, const LandlockRules& rules,
                      const LandlockOptions& options) noexcept {
    LandlockPlan plan{.version = version, .wanted = wanted_by(rules, options)};
    for (const Part& part : parts) {
        if (version < part.version) {
            plan.missing = plan.missing | (plan.wanted & part.part);
        }
    }
    return plan;
}

LandlockPlan plan_landlock(const LandlockRules& rules, const LandlockOptions& options) noexcept {
    return plan_for(landlock_version(), rules, options);
}

std::string to_string(LandlockParts all) {
    std::string text;
    for (const Part& part : parts) {
        if (has(all, part.part)) {
            text += (text.empty() ? "" : ", ") + std::string(part.name);
        }
    }
    return text;
}

void require_sufficient(const LandlockPlan& plan, const LandlockOptions& options,
                        const LandlockSupport& support) {
    if (plan.version == 0) {
        throw std::system_error(support.error, std::generic_category(), reason_of(support.error));
    }
    const auto lacking =
        static_cast<LandlockParts>(static_cast<std::uint32_t>(plan.missing) &
                                   ~static_cast<std::uint32_t>(options.may_be_missing));
    if (lacking != LandlockParts::none) {
        throw std::system_error(EOPNOTSUPP, std::generic_category(),
                                "Landlock of this kernel (version " + std::to_string(plan.version) +
                                    ") cannot restrict: " + to_string(lacking));
    }
}

std::uint64_t rights_of(LandlockAccess access) noexcept {
    std::uint64_t rights = 0;
    for (const Group& group : groups) {
        rights |= has(access, group.access) ? group.rights : 0;
    }
    return rights;
}

std::uint64_t rights_known_to(int version) noexcept {
    std::uint64_t rights = kernel::refer - 1;
    rights |= version >= 2 ? kernel::refer : 0;
    rights |= version >= 3 ? kernel::truncate : 0;
    rights |= version >= 5 ? kernel::ioctl_device : 0;
    return rights;
}

}  // namespace syncspawn::sandbox
