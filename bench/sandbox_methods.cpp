#include "sandbox_methods.hpp"

#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <utility>

#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox.hpp>
#include <syncspawn/steps.hpp>

#include "bare_sandbox.hpp"
#include "machine.hpp"
#include "mount_scene.hpp"
#include "spawned.hpp"

namespace syncspawn::bench {
namespace {

using sandbox::Mount;
using Operations = std::vector<sandbox::FileOperation>;

constexpr Namespaces for_files = Namespaces::user | Namespaces::mount | Namespaces::pid;
constexpr Namespaces everything =
    for_files | Namespaces::network | Namespaces::ipc | Namespaces::uts | Namespaces::cgroup;

// ---- ours -----------------------------------------------------------------------------------------

std::function<void()> launcher_of(SyncedSpawner spawner) {
    return [spawner = std::move(spawner)] {
        Process child = spawner.spawn();
        expect(child.start_method() == StartMethod::shared_memory, "memory was copied");
        expect(child.wait().success(), "the program did not succeed");
    };
}

SyncedSpawner spawner_of(const std::string& program, Namespaces namespaces, FirstProcess first) {
    return SyncedSpawner({.program = program,
                          .birth = {.method = StartMethod::shared_memory,
                                    .namespaces = namespaces,
                                    .first_process = first}});
}

// As bwrap does without being asked.
void give_up_privileges(SyncedSpawner& spawner) {
    const sandbox::CapabilityNames none;
    spawner.step(
        sandbox::capabilities({.permitted = none, .effective = none, .inheritable = none}));
    spawner.step(steps::no_new_privileges());
}

SyncedSpawner all_unshared(const std::string& program, FirstProcess first,
                           sandbox::KernelFiles files = sandbox::KernelFiles::masked) {
    SyncedSpawner spawner = spawner_of(program, everything, first);
    sandbox::FileOperation proc = Mount::proc("/proc");
    proc.kernel_files = files;
    spawner.step(sandbox::map_own_id());
    spawner.step(sandbox::mounts({Mount::devices("/dev"), std::move(proc)},
                                 {.root = sandbox::NewRoot::host_tree}));
    spawner.step(sandbox::loopback_up());
    give_up_privileges(spawner);
    return spawner;
}

SyncedSpawner with_files(const std::string& program, const Operations& operations) {
    SyncedSpawner spawner = spawner_of(program, for_files, FirstProcess::reaper);
    spawner.step(sandbox::map_own_id());
    spawner.step(sandbox::mounts(operations, {.root = sandbox::NewRoot::host_tree}));
    give_up_privileges(spawner);
    return spawner;
}

// A dozen rules, as a build may have them.
SyncedSpawner without_namespaces(const std::string& program) {
    using Access = sandbox::LandlockAccess;
    constexpr auto lookup = sandbox::LandlockLookup::if_present;
    sandbox::LandlockPaths paths{{std::filesystem::path(program).parent_path(), Access::read_only}};
    for (const char* path : {"/usr", "/bin", "/lib", "/lib64", "/etc", "/opt", "/proc", "/sys"}) {
        paths.push_back({path, Access::read_only, lookup});
    }
    for (const char* path : {"/tmp", "/dev/null", "/dev/shm"}) {
        paths.push_back({path, Access::read_write, lookup});
    }
    SyncedSpawner spawner({.program = program, .birth = {.method = StartMethod::shared_memory}});
    spawner.step(steps::no_new_privileges());
    spawner.step(sandbox::landlock({.paths = std::move(paths)}));
    spawner.step(sandbox::system_calls(sandbox::default_deny_set()));
    return spawner;
}

std::function<void()> bare_launcher_of(const std::string& program, const std::string& init,
                                       FirstInside first) {
    return [bare = std::make_shared<const BareSandbox>(program, init, first)] { bare->launch(); };
}

SyncedSpawner by_policy(const std::string& program) {
    SyncedSpawner spawner({.program = program,
                           .working_directory = "/",
                           .birth = {.method = StartMethod::shared_memory}});
    sandbox::Sandbox(sandbox::Policy{}).add_to(spawner);
    return spawner;
}

// ---- all ------------------------------------------------------------------------------------------

// What this machine cannot do, or has not got, is named and left out.
class Collection {
public:
    template <class Make>
    void add(const std::string& name, Make make) {
        try {
            methods_.push_back({name, make(), scene_enterer()});
        } catch (const std::exception& error) {
            std::fprintf(stderr, "left out: %s: %s\n", name.c_str(), error.what());
        }
    }
    // Of all that is added from now on.
    void set_scene(std::shared_ptr<const MountScene> scene) { scene_ = std::move(scene); }
    std::vector<Method> take() { return std::move(methods_); }

private:
    [[nodiscard]] std::function<void()> scene_enterer() const {
        return scene_ ? std::function<void()>([scene = scene_] { scene->enter(); })
                      : MountScene::leave;
    }
    std::shared_ptr<const MountScene> scene_;
    std::vector<Method> methods_;
};

void add_small_ones(Collection& all, const std::string& program) {
    const std::string init = std::filesystem::path(program).parent_path() / "init";
    all.add("posix_spawn", [&] { return posix_spawner_of({program}); });
    all.add("sandbox_all",
            [&] { return launcher_of(all_unshared(program, FirstProcess::reaper)); });
    all.add("sandbox_all_first",
            [&] { return launcher_of(all_unshared(program, FirstProcess::program)); });
    all.add("sandbox_all_unmasked", [&] {
        return launcher_of(all_unshared(program, FirstProcess::reaper, sandbox::KernelFiles::open));
    });
    all.add("sandbox_policy", [&] { return launcher_of(by_policy(program)); });
    all.add("sandbox_policy_planned", [&]() -> std::function<void()> {
        (void)by_policy(program);
        return [program] { launcher_of(by_policy(program))(); };
    });
    all.add("sandbox_landlock", [&] { return launcher_of(without_namespaces(program)); });
    all.add("bare_all", [&] { return bare_launcher_of(program, init, FirstInside::reaper); });
    all.add("bare_all_first",
            [&] { return bare_launcher_of(program, init, FirstInside::program); });
    const Words options{"--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"};
    all.add("bwrap_all", [&] { return bubblewrap(options, program); });
    Words first = options;
    first.emplace_back("--as-pid-1");
    all.add("bwrap_all_first", [&] { return bubblewrap(first, program); });
}

void add_many_mounts(Collection& all, const std::string& program, int count) {
    const Words options{"--unshare-user", "--unshare-pid", "--ro-bind", "/", "/"};
    const std::string number = std::to_string(count);
    all.set_scene(std::make_shared<MountScene>(MountScene::Kind::mounts, count));
    all.add("sandbox_mounts_" + number, [&] { return launcher_of(with_files(program, {})); });
    all.add("bwrap_mounts_" + number, [&] { return bubblewrap(options, program); });

    const auto scene = std::make_shared<MountScene>(MountScene::Kind::directories, count);
    Operations binds;
    Words bwraps = options;
    for (const std::string& path : scene->paths()) {
        binds.push_back(Mount::bind(path, path));
        bwraps.insert(bwraps.end(), {"--ro-bind", path, path});
    }
    all.set_scene(scene);
    all.add("sandbox_binds_" + number, [&] { return launcher_of(with_files(program, binds)); });
    all.add("bwrap_binds_" + number, [&] { return bubblewrap(bwraps, program); });
}

}  // namespace

std::vector<Method> sandbox_methods_of(const std::string& program) {
    Collection all;
    add_small_ones(all, program);
    for (const int count : {250, 500, 1000}) {
        try {
            add_many_mounts(all, program, count);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "left out: %d mounts: %s\n", count, error.what());
        }
    }
    MountScene::leave();
    return all.take();
}

}  // namespace syncspawn::bench
