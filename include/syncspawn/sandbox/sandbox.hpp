#pragma once

#include <sys/types.h>

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/launcher/synced_spawner.hpp>
#include <syncspawn/sandbox/bindings.hpp>
#include <syncspawn/sandbox/enforcement.hpp>
#include <syncspawn/sandbox/machine.hpp>
#include <syncspawn/sandbox/network.hpp>
#include <syncspawn/sandbox/policy.hpp>
#include <syncspawn/sandbox/policy_error.hpp>

/// syncspawn::sandbox::Sandbox: a policy that is planned for this machine, as steps of a launch.
///
///     #include <cstdio>
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/sandbox.hpp>
///
///     int main() {
///         syncspawn::SyncedSpawner spawner(
///             {.program = "sh", .arguments = {"-c", "test -r /etc/passwd && ! touch /usr/x 2>&-"}});
///         try {
///             const syncspawn::sandbox::Sandbox sandbox({.limits = {.open_files = 256}});
///             sandbox.add_to(spawner);
///         } catch (const syncspawn::sandbox::PolicyError& error) {
///             std::puts(error.what());  // all that this machine refuses, why, and what to do about it
///             return 0;
///         }
///         return spawner.spawn().wait().shell_code();
///     }
///
/// The constructor does all that can be done before a child exists. It resolves the paths, finds a mechanism for
/// each guarantee, and opens what the child will need. Whatever is wrong, with the policy or with the machine,
/// is in one PolicyError.
///
/// Strict: a guarantee that no mechanism can hold whole is an error, unless Policy::accept_weaker names it. Of
/// several mechanisms that hold it whole, the cheapest is taken.
///
/// Files are looked up once, by the constructor. So make a new Sandbox when files that the policy names have come or gone.

namespace syncspawn::sandbox {

/// A step of the plan.
struct ExplainedStep {
    std::string name;
    bool is_in_child = false;  ///< it has a part in the child before execve
    bool is_in_parent =
        false;                ///< it has one in the parent, be it before the start or after the end
    bool is_last = false;     ///< its part in the child comes right before execve
    bool is_ordered = false;  ///< one side waits for the other
};

/// A plan.
struct Explanation {
    std::vector<Holding> holdings{};
    std::vector<ExplainedStep> steps{};

    /// A line for each guarantee, and one for each step.
    [[nodiscard]] SYNCSPAWN_API std::string to_string() const;
};

/// Gets the doors of each launch: see door(). It is called by the thread that launches.
using DoorReceiver = std::function<void(OpenDoor)>;

/// Use one object in as many threads as you like. Copies share the plan.
class SYNCSPAWN_API Sandbox {
public:
    /// Plans for this machine. A policy with doors takes somebody to receive them. Throws PolicyError.
    explicit Sandbox(Policy policy, const DoorReceiver& doors = {});
    /// The same for a policy that names descriptors, or with a terminal of the program's own.
    Sandbox(Policy policy, const Bindings& bindings, const DoorReceiver& doors = {});
    /// Plans for another one. Such a plan is to be looked at; a launch may fail.
    Sandbox(Policy policy, const Machine& machine, const DoorReceiver& doors = {});
    Sandbox(Policy policy, const Machine& machine, const Bindings& bindings,
            const DoorReceiver& doors = {});

    /// Adds the sandbox to a launch: its options, and its steps behind those that are there. Throws
    /// std::invalid_argument if the spawner's options have namespaces that the sandbox makes, or another first
    /// process.
    ///
    /// What you have added before runs outside: it sees the host's files and has your privileges. What you add
    /// behind it runs inside, and can do no more than the program.
    void add_to(SyncedSpawner& spawner) const;
    /// The same in halves, for your steps between them: they see the program's files, network and processes, and
    /// still have the privileges of one who sets a sandbox up.
    void add_surroundings_to(SyncedSpawner& spawner) const;
    void add_restrictions_to(SyncedSpawner& spawner) const;

    /// The same for a launcher that has `options` and `step()`, as for_boost::SyncedLauncher. That takes the
    /// environment from its own `env`, so set TMPDIR there: see temporary_directory().
    template <class Launcher>
    requires requires(Launcher& launcher, Step step) {
        { launcher.options } -> std::same_as<SpawnOptions&>;
        launcher.step(std::move(step));
    }
    void add_to(Launcher& launcher) const {
        launcher.options = options_for(std::move(launcher.options));
        for (Step& step : steps()) {
            launcher.step(std::move(step));
        }
    }

    /// These options, and what the sandbox needs of them. Throws as add_to() does.
    [[nodiscard]] SpawnOptions options_for(SpawnOptions options) const;
    /// The steps, in their order.
    [[nodiscard]] std::vector<Step> steps() const;
    /// What TMPDIR is; empty: the host's.
    [[nodiscard]] const std::string& temporary_directory() const noexcept;

    /// What holds each guarantee, and by which steps.
    [[nodiscard]] Explanation explain() const;
    /// What the kernel says of a program that was launched with this: by which mechanism each guarantee is held,
    /// and whether that could be read. Ask while it runs, in run() by RunOptions::launched: of one that has ended,
    /// the kernel knows little.
    [[nodiscard]] Enforcement enforcement(const Process& program) const;
    /// The same for the child of a launch that is under way: ParentSide::child_pid(). A part right before execve
    /// (Step::last) of a step behind the sandbox's finds all in force, and the program waits for it.
    [[nodiscard]] Enforcement enforcement(pid_t child) const;

    [[nodiscard]] const Policy& policy() const noexcept;

    struct Plan;

private:
    std::shared_ptr<const Plan> plan_;
};

}  // namespace syncspawn::sandbox
