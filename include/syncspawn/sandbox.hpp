#pragma once

#include <syncspawn/sandbox/absent_paths.hpp>
#include <syncspawn/sandbox/bindings.hpp>
#include <syncspawn/sandbox/cgroup.hpp>
#include <syncspawn/sandbox/door.hpp>
#include <syncspawn/sandbox/enforcement.hpp>
#include <syncspawn/sandbox/landlock.hpp>
#include <syncspawn/sandbox/machine.hpp>
#include <syncspawn/sandbox/mounts.hpp>
#include <syncspawn/sandbox/namespaces.hpp>
#include <syncspawn/sandbox/network.hpp>
#include <syncspawn/sandbox/policy.hpp>
#include <syncspawn/sandbox/policy_error.hpp>
#include <syncspawn/sandbox/policy_file.hpp>
#include <syncspawn/sandbox/privileges.hpp>
#include <syncspawn/sandbox/sandbox.hpp>
#include <syncspawn/sandbox/system_calls.hpp>

/// All of the sandbox library: programs that can do what a policy says, and nothing else.
///
///     #include <chrono>
///     #include <cstdio>
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/sandbox.hpp>
///     #include <unistd.h>
///
///     using namespace std::chrono_literals;
///     namespace sandbox = syncspawn::sandbox;
///
///     int main() {
///         char work[] = "/var/tmp/work-XXXXXX";
///         if (mkdtemp(work) == nullptr) {
///             return 1;
///         }
///         syncspawn::SyncedSpawner spawner(
///             {.program = "sh",
///              .arguments = {"-c", "touch built && ! mkdir .git 2>&- && ! touch /usr/x 2>&-"},
///              .working_directory = work});
///         try {
///             const sandbox::Sandbox strict(
///                 {.files = {.writable = {work}, .protected_paths = {std::string(work) + "/.git"}},
///                  .limits = {.open_files = 256, .wall_clock = 10min},
///                  .privileges = {.host_user = geteuid(), .host_group = getegid()}});
///             strict.add_to(spawner);
///             std::fputs(strict.explain().to_string().c_str(), stdout);
///         } catch (const sandbox::PolicyError& error) {
///             std::puts(error.what());
///             return rmdir(work);
///         }
///         const int code = spawner.spawn().wait().shell_code();
///         unlink((std::string(work) + "/built").c_str());
///         return rmdir(work) == 0 ? code : 1;
///     }
///
/// Policy says what must hold. Sandbox finds out how, and adds that to a launch. The mechanisms are steps of their own,
/// too: <syncspawn/sandbox/landlock.hpp>, <syncspawn/sandbox/system_calls.hpp> and the others.
