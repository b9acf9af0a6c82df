#include "restrictions.hpp"

#include <algorithm>
#include <string>

#include <syncspawn/sandbox/privileges.hpp>

#include "capability_changes.hpp"
#include "identity_wish.hpp"
#include "system_call_filters.hpp"
#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {
namespace {

bool holds(Choice choice, bool by_default) {
    return choice == Choice::by_manner ? by_default : choice == Choice::on;
}

class Adding {
public:
    Adding(SyncedSpawner& spawner, const Restrictions& restrictions, std::optional<Manner> manner)
        : spawner_(spawner), wanted_(restrictions), manner_(manner) {}

    void add() {
        require_what_confining_takes();
        // A keyring belongs to whom the child is when it is made, and bubblewrap makes none.
        if (holds(wanted_.new_keyring, manner_ == Manner::safe_defaults)) {
            spawner_.step(sandbox::new_session_keyring(sandbox::WithoutKeyrings::go_on));
        }
        set_limits();
        change_identity();
        if (capabilities_) {
            spawner_.step(sandbox::capabilities(*capabilities_));
        }
        if (holds(wanted_.no_new_privileges, manner_ || wanted_.is_sandboxing())) {
            spawner_.step(steps::no_new_privileges());
        }
        restrict_by_landlock();
        for (const FilterSource& source : wanted_.filters) {
            spawner_.step(filter_step(source, manner_.value_or(Manner::safe_defaults)));
        }
    }

private:
    // The kernel lets only those confine themselves who gain nothing by execve(2), or have CAP_SYS_ADMIN.
    void require_what_confining_takes() const {
        const bool is_confining = !wanted_.filters.empty() || wanted_.has_landlock();
        if (wanted_.no_new_privileges == Choice::off && is_confining && !keeps_sys_admin()) {
            throw UsageError(
                "--new-privileges does not go with filters of system calls and Landlock, which "
                "take no_new_privs or CAP_SYS_ADMIN",
                "leave it out, or say --cap-add sys_admin");
        }
    }

    [[nodiscard]] bool keeps_sys_admin() const {
        if (!capabilities_ || !capabilities_->effective) {
            return true;
        }
        const sandbox::CapabilityNames& names = *capabilities_->effective;
        return std::any_of(names.begin(), names.end(),
                           [](const std::string& name) { return name.ends_with("sys_admin"); });
    }

    void restrict_by_landlock() {
        sandbox::LandlockRules rules = wanted_.landlock;
        if (rules.paths) {
            // Any script needs them, and nobody can do harm by them.
            for (const char* device : {"null", "zero", "full", "random", "urandom"}) {
                rules.paths->push_back(
                    {std::string("/dev/") + device,
                     sandbox::LandlockAccess::read | sandbox::LandlockAccess::write,
                     sandbox::LandlockLookup::if_present});
            }
        }
        if (wanted_.has_landlock()) {
            spawner_.step(sandbox::landlock(rules));
        }
    }

    [[nodiscard]] UserNamespace user_namespace() const {
        const bool is_own =
            (spawner_.options().birth.namespaces & Namespaces::user) != Namespaces::none;
        return is_own ? UserNamespace::own : UserNamespace::callers;
    }

    void set_limits() {
        if (!wanted_.limits.empty()) {
            spawner_.step(steps::resource_limits(wanted_.limits));
        }
        if (wanted_.nice) {
            spawner_.step(steps::nice(*wanted_.nice));
        }
        if (wanted_.scheduling) {
            spawner_.step(steps::scheduling_policy(*wanted_.scheduling));
        }
        if (!wanted_.cpus.empty()) {
            spawner_.step(steps::cpu_affinity(wanted_.cpus));
        }
        if (wanted_.oom_score_adj) {
            spawner_.step(steps::oom_score_adj(*wanted_.oom_score_adj));
        }
        if (wanted_.umask) {
            spawner_.step(steps::umask(*wanted_.umask));
        }
    }

    void change_identity() {
        if (!wanted_.identity.is_used()) {
            return;
        }
        if (capabilities_) {  // else the change takes them away before they are chosen
            spawner_.step(sandbox::secure_bits(sandbox::SecureBits::keep_capabilities));
        }
        spawner_.step(steps::become(identity_for(wanted_.identity)));
    }

    SyncedSpawner& spawner_;
    const Restrictions& wanted_;
    std::optional<Manner> manner_;
    std::optional<sandbox::CapabilitySets> capabilities_ =
        capability_sets_of(wanted_.capabilities, manner_, user_namespace());
};

}  // namespace

bool Restrictions::has_landlock() const noexcept {
    return landlock.paths || landlock.bind_ports || landlock.connect_ports ||
           landlock.scopes != sandbox::LandlockScopes::none;
}

std::vector<int> Restrictions::descriptors() const {
    std::vector<int> descriptors;
    for (const FilterSource& source : filters) {
        if (source.kind == FilterSource::Kind::program) {
            descriptors.push_back(source.descriptor);
        }
    }
    return descriptors;
}

void add_to(SyncedSpawner& spawner, const Restrictions& restrictions,
            std::optional<Manner> manner) {
    Adding(spawner, restrictions, manner).add();
}

}  // namespace syncspawn::tools
