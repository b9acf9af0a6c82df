#pragma once

#include <map>
#include <string>

/// syncspawn::sandbox::Bindings: what the names in a policy stand for, in this process.
///
///     #include <cstdio>
///     #include <fcntl.h>
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/sandbox.hpp>
///
///     namespace sandbox = syncspawn::sandbox;
///
///     int main() {
///         const sandbox::Policy policy = sandbox::parse_policy(R"(
///             [[descriptors]]
///             name = "input"
///             number = 3
///         )");
///         const syncspawn::UniqueFd file(open("/proc/self/status", O_RDONLY | O_CLOEXEC));
///         syncspawn::SyncedSpawner spawner({.program = "grep", .arguments = {"-q", "^Name:", "/dev/fd/3"}});
///         try {
///             const sandbox::Sandbox sandbox(policy, {.descriptors = {{"input", file.get()}}});
///             sandbox.add_to(spawner);
///         } catch (const sandbox::PolicyError& error) {
///             std::puts(error.what());
///             return 0;
///         }
///         return spawner.spawn().wait().shell_code();
///     }
///
/// So one policy, or one file, does for many launches: it says what the program has, and each launch says which one.
/// A name that is not bound, and a binding that the policy does not name, are problems of the PolicyError.

namespace syncspawn::sandbox {

/// Descriptors are borrowed until the launches of the Sandbox are over.
struct Bindings {
    /// Of Policy::descriptors and Policy::trees.
    std::map<std::string, int> descriptors{};
    /// The terminal that is /dev/console inside, so that it has a name there: Pty::terminal(). (Its own /dev/pts is
    /// an empty one.) -1: this process's standard output, if that is a terminal.
    int terminal = -1;
};

}  // namespace syncspawn::sandbox
