#include "scenarios.hpp"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include <syncspawn/sandbox.hpp>
#include <syncspawn/sandbox/absent_paths.hpp>
#include <syncspawn/sandbox/mounts.hpp>
#include <syncspawn/sandbox/namespaces.hpp>
#include <syncspawn/sandbox/privileges.hpp>
#include <syncspawn/steps.hpp>

#include "support/observe.hpp"

namespace syncspawn::testing {
namespace {

using namespace sandbox;
using namespace std::chrono_literals;

Scenario held_to(const Ground& ground, const Policy& policy, const Machine& machine) {
    const Sandbox sandbox(policy, machine, [](const OpenDoor&) {});
    return {{}, sandbox.options_for(ground.program()), sandbox.steps()};
}
Scenario held_to(const Ground& ground, const Policy& policy) {
    return held_to(ground, policy, Machine::here());
}

Scenario by_default(const Ground& ground) { return held_to(ground, {}); }

Scenario with_files(const Ground& ground) {
    return held_to(ground, {.files = {.writable = {ground / "src"},
                                      .read_only = {ground / "src/vendor"},
                                      .protected_paths = {ground / "src/.git", ground / "src/new"},
                                      .hidden = {ground / "src/keys", ground / "src/secret"}},
                            .limits = {.open_files = 99, .cpu_time = 1000s, .wall_clock = 1h}});
}

Scenario with_doors(const Ground& ground) {
    return held_to(ground, {.files = {.tree = Tree::host, .private_tmp = false},
                            .network = Network::loopback,
                            .doors = {{"port", "127.0.0.1:0"}, {"abstract", "@door"}},
                            .services = Services::host,
                            .processes = {.reaper = false},
                            .host_name = "sandbox"});
}

Scenario as_somebody_else(const Ground& ground) {
    return held_to(ground, {.network = Network::host,
                            .processes = {.outlive = true},
                            .privileges = {.capabilities = {"CAP_NET_BIND_SERVICE"},
                                           .user = 7,
                                           .group = 7,
                                           .nested_user_namespaces = true},
                            .system_calls = {.default_deny_set = false, .denied = {"ptrace"}}});
}

Scenario by_landlock(const Ground& ground) {
    Machine machine = Machine::here();
    machine.user_namespace = {.refusal = std::make_error_code(std::errc::operation_not_permitted)};
    const Ability& no = machine.user_namespace;
    machine.alone = machine.in_user_namespace = {no, no, no, no, no, no, no, no};
    return held_to(ground,
                   {.files = {.writable = {ground / "src"}, .hidden = {ground / "src/keys"}},
                    .accept_weaker = {Guarantee::files, Guarantee::services, Guarantee::processes}},
                   machine);
}

// What no policy uses.
Scenario by_hand(const Ground& ground) {
    Scenario made{{}, ground.program(), {}};
    made.options.birth.namespaces = Namespaces::user | Namespaces::mount | Namespaces::ipc |
                                    Namespaces::uts | Namespaces::pid | Namespaces::network;
    made.options.birth.first_process = FirstProcess::reaper;
    made.options.ending.die_with_parent = true;
    FileOperation small = Mount::tmpfs("/tmp");
    small.size = 1U << 20U;
    made.steps = {
        map_own_id(),
        new_cgroup_namespace(),
        time_offsets({.monotonic = 1000s}),
        domain_name("nowhere"),
        loopback_up(),
        no_nested_user_namespaces(),
        mounts({Mount::bind("/", "/"), Mount::proc("/proc"), Mount::devices("/dev"),
                Mount::mqueue("/dev/mqueue"), small, Mount::directory("/tmp/made"),
                Mount::file("text", "/tmp/made/file"), Mount::symlink("file", "/tmp/made/link"),
                Mount::chmod(0700, "/tmp/made/file"), Mount::data("data", "/tmp/data"),
                Mount::bind_writable(ground / "src", ground / "src"),
                Mount::temporary_overlay({ground / "src/vendor"}, ground / "src/vendor"),
                Mount::pin(ground / "src/.git"), Mount::remount_read_only(ground / "src"),
                Mount::hide(ground / "src/keys")}),
        steps::resource_limits({{.resource = RLIMIT_NOFILE, .soft = 77, .hard = 77}}),
        capabilities(only_capabilities({"CAP_NET_ADMIN"})),
        steps::no_new_privileges()};
    return made;
}

}  // namespace

Ground::Ground() {
    chmod(directory_.path().c_str(), 0777);
    for (const char* const name : {"src", "src/vendor", "src/.git", "src/keys"}) {
        mkdir((directory_ / name).c_str(), 0777);
        chmod((directory_ / name).c_str(), 0777);
    }
    for (const char* const name :
         {"file", "src/file", "src/vendor/file", "src/.git/file", "src/keys/file", "src/secret"}) {
        chmod(directory_.file(name, "text", 0666).c_str(), 0666);
    }
}

std::string Ground::listing() const {
    std::vector<std::string> lines;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
        lines.push_back(entry.path().string() +
                        (entry.is_regular_file() ? ": " + read_file(entry.path()) : ""));
    }
    std::sort(lines.begin(), lines.end());
    std::string text;
    for (const std::string& line : lines) {
        text += line + "\n";
    }
    return text;
}

void Ground::remove_what_was_tried() const { unlink((directory_ / "src/made").c_str()); }

SpawnOptions Ground::program() const {
    SpawnOptions options{.program = SYNCSPAWN_TEST_HELPERS "/tell_protection"};
    for (const char* const name :
         {"file", "src/file", "src/new", "src/new/below", "src/made", "src/vendor/file",
          "src/.git/file", "src/keys/file", "src/secret"}) {
        options.arguments.push_back(*this / name);
    }
    for (const char* const path : {"/etc/passwd", "/usr/made", "/tmp/made", "/dev/null", "/dev/mem",
                                   "/proc/sys/kernel/core_pattern"}) {
        options.arguments.emplace_back(path);
    }
    std::string host;
    for (const char* const name : {"mnt", "pid", "net", "ipc", "uts", "user", "cgroup", "time"}) {
        host += std::filesystem::read_symlink(std::string("/proc/self/ns/") + name).string() + " ";
    }
    options.environment.set("HOST", host + std::to_string(getpid()));
    options.streams.output = Stdio::pipe();
    return options;
}

const std::vector<ScenarioMaker>& scenarios() {
    static const std::vector<ScenarioMaker> all{
        {"default", false, by_default},   {"files", false, with_files},
        {"doors", false, with_doors},     {"somebody else", true, as_somebody_else},
        {"landlock", false, by_landlock}, {"by hand", false, by_hand},
    };
    return all;
}

SyncedSpawner marked(const Scenario& scenario) {
    SyncedSpawner spawner(scenario.options);
    long mark = first_mark;
    const auto add_mark = [&](const std::string& name) {
        spawner.step({.name = name, .child = shared_memory([mark](ChildSide&) { syscall(mark); })});
        ++mark;
    };
    for (const Step& step : scenario.steps) {
        add_mark(step.name);
        spawner.step(step);
    }
    add_mark("behind the steps");
    return spawner;
}

}  // namespace syncspawn::testing
