#include "capability_changes.hpp"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <string>

#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {
namespace {

// Bit by bit, as in /proc/PID/status.
using Capabilities = std::uint64_t;

Capabilities callers_permitted() noexcept {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
    if (syscall(SYS_capget, &header, data) < 0) {
        return 0;
    }
    return data[0].permitted | Capabilities{data[1].permitted} << 32U;
}

class Change {
public:
    Change(Manner manner, UserNamespace where)
        : names_(sandbox::all_capabilities()),
          every_((Capabilities{1} << names_.size()) - 1),
          callers_(callers_permitted() & every_),
          manner_(manner),
          had_(where == UserNamespace::own ? every_ : callers_) {}

    [[nodiscard]] Capabilities callers() const noexcept { return callers_; }

    [[nodiscard]] Capabilities after(const std::vector<CapabilityChange>& changes,
                                     Capabilities first) const {
        for (const CapabilityChange& change : changes) {
            const Capabilities which = change.name == "ALL" ? had_ : bit_of(change.name);
            first = change.kind == CapabilityChange::Kind::add ? first | which : first & ~which;
        }
        return first;
    }

    [[nodiscard]] sandbox::CapabilityNames names_of(Capabilities which) const {
        sandbox::CapabilityNames names;
        for (std::size_t number = 0; number < names_.size(); ++number) {
            if ((which >> number & 1U) != 0) {
                names.push_back(names_[number]);
            }
        }
        return names;
    }

private:
    [[nodiscard]] Capabilities bit_of(const std::string& name) const {
        std::string known = name;
        std::transform(known.begin(), known.end(), known.begin(), [](unsigned char letter) {
            return static_cast<char>(std::tolower(letter));
        });
        known = known.starts_with("cap_") ? known : "cap_" + known;
        const auto found = std::find(names_.begin(), names_.end(), known);
        if (found == names_.end()) {
            refuse(name, known);
        }
        return Capabilities{1} << static_cast<std::size_t>(found - names_.begin());
    }

    [[noreturn]] void refuse(const std::string& name, const std::string& known) const {
        if (manner_ == Manner::as_bubblewrap) {
            throw UsageError("unknown cap: " + name);
        }
        const std::string meant(nearest_to(known, {names_.begin(), names_.end()}));
        throw UsageError(
            "there is no capability '" + name + "'",
            meant.empty() ? "capabilities(7) lists them" : "did you mean '" + meant + "'?");
    }

    sandbox::CapabilityNames names_;  // by their number
    Capabilities every_;
    Capabilities callers_;
    Manner manner_;
    Capabilities had_;  // what the child can have
};

// As bubblewrap has it: root keeps what it has, and its bounding set; what a new user namespace would add, it does not
// get unasked.
sandbox::CapabilitySets sets_of_root(const Change& change,
                                     const std::vector<CapabilityChange>& changes,
                                     UserNamespace where) {
    const Capabilities wanted = change.after(changes, change.callers());
    const sandbox::CapabilityNames names = change.names_of(wanted);
    sandbox::CapabilitySets sets{.permitted = names, .effective = names};
    if (where == UserNamespace::own) {
        sets.bounding = change.names_of(wanted | change.callers());
    }
    const bool is_asked_for = !changes.empty();
    sets.inheritable = is_asked_for ? names : sandbox::CapabilityNames{};
    sets.ambient = sets.inheritable;
    return sets;
}

}  // namespace

std::optional<sandbox::CapabilitySets> capability_sets_of(
    const std::vector<CapabilityChange>& changes, std::optional<Manner> manner,
    UserNamespace where) {
    if (!manner && changes.empty()) {
        return std::nullopt;
    }
    const Manner of = manner.value_or(Manner::safe_defaults);
    const bool is_bubblewraps_root = of == Manner::as_bubblewrap && geteuid() == 0;
    if (is_bubblewraps_root && changes.empty() && where == UserNamespace::callers) {
        return std::nullopt;
    }
    if (is_bubblewraps_root) {
        return sets_of_root(Change(of, where), changes, where);
    }
    sandbox::CapabilityNames kept;
    if (!changes.empty()) {
        const Change change(of, where);
        kept = change.names_of(change.after(changes, 0));
    }
    sandbox::CapabilitySets sets = sandbox::only_capabilities(kept);
    sets.without_setpcap = sandbox::WithoutSetpcap::leave_bounding;
    return sets;
}

}  // namespace syncspawn::tools
