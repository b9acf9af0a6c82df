#include "methods.hpp"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>

#include <syncspawn/launcher.hpp>

#include "launcher/child/words.hpp"
#include "machine.hpp"

namespace syncspawn::bench {
namespace {

enum class Hooks { none, both_sides, id_maps };

constexpr Namespaces all_namespaces = Namespaces::user | Namespaces::mount | Namespaces::cgroup |
                                      Namespaces::uts | Namespaces::ipc | Namespaces::pid |
                                      Namespaces::network;

// ---- what the hooks do ----------------------------------------------------------------------------

bool write_file(pid_t child, const char* name, const char* text) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/%s", child, name);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    const auto size = static_cast<ssize_t>(std::strlen(text));
    const bool is_written = fd >= 0 && write(fd, text, std::strlen(text)) == size;
    close(fd);
    return is_written;
}

// As Go does for UidMappings and GidMappings: the same three files.
bool write_id_maps(pid_t child) {
    char users[32];
    char groups[32];
    std::snprintf(users, sizeof users, "0 %u 1\n", geteuid());
    std::snprintf(groups, sizeof groups, "0 %u 1\n", getegid());
    return write_file(child, "uid_map", users) && write_file(child, "setgroups", "deny") &&
           write_file(child, "gid_map", groups);
}

// ---- ours -----------------------------------------------------------------------------------------

Method ours(const std::string& name, const std::string& program, StartMethod start, Hooks hooks,
            Namespaces namespaces = Namespaces::none) {
    auto spawner = std::make_shared<SyncedSpawner>(
        SpawnOptions{.program = program, .birth = {.method = start, .namespaces = namespaces}});
    if (hooks == Hooks::both_sides) {
        spawner->step({.name = "hooks",
                       .child = shared_memory([](ChildSide& side) { return side.done(); }),
                       .parent = [](ParentSide& side) { return side.done(); },
                       .order = StepOrder::child_first});
    } else if (hooks == Hooks::id_maps) {
        spawner->step({.name = "id maps", .parent = [](ParentSide& side) {
                           return write_id_maps(side.child_pid()) ? side.done()
                                                                  : side.fail("write the id maps");
                       }});
    }
    return {name, [spawner, start] {
                Process child = spawner->spawn();
                expect(child.start_method() == start, "ours was started in another way");
                expect(child.wait().success(), "ours did not succeed");
            }};
}

// ---- the bare system calls ------------------------------------------------------------------------

void reap(pid_t child, const char* how) {
    int status = -1;
    pid_t reaped = -1;
    while (child > 0 && (reaped = waitpid(child, &status, 0)) < 0 && errno == EINTR) {
    }
    expect(child > 0 && reaped == child && status == 0, how);
}

class Program {
public:
    explicit Program(std::string path) : path_(std::move(path)) {}

    [[noreturn]] void execute() const noexcept {
        execve(path(), arguments(), environ);
        _exit(127);
    }
    const char* path() const noexcept { return path_.c_str(); }
    char* const* arguments() const noexcept { return arguments_; }

    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program() = default;

private:
    std::string path_;
    char* arguments_[2]{path_.data(), nullptr};
};

void launch_by_vfork(const Program& program) {
    const char* const path = program.path();
    char* const* const arguments = program.arguments();
    const pid_t child = vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork): measured
    if (child == 0) {
        execve(path, arguments, environ);
        _exit(127);
    }
    reap(child, "vfork and execve");
}

void launch_by_posix_spawn(const Program& program) {
    pid_t child = -1;
    posix_spawn(&child, program.path(), nullptr, nullptr, program.arguments(), environ);
    reap(child, "posix_spawn");
}

void launch_by_fork(const Program& program) {
    const pid_t child = fork();
    if (child == 0) {
        program.execute();
    }
    reap(child, "fork and execve");
}

// A pipe for one byte that says "done".
struct Signal {
    Signal() { expect(pipe2(ends, O_CLOEXEC) == 0, "pipe2 failed"); }
    ~Signal() {
        close(ends[0]);
        close(ends[1]);
    }
    // In the child: who holds the end it waits for does not see the other side's death.
    void only_wait() const noexcept { close(ends[1]); }
    void only_send() const noexcept { close(ends[0]); }
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;

    void wait() const noexcept {
        char byte = 0;
        if (read(ends[0], &byte, 1) != 1) {
            _exit(126);
        }
    }
    void send() const noexcept {
        if (write(ends[1], "", 1) != 1) {
            _exit(126);
        }
    }

    int ends[2]{-1, -1};
};

// Two hooks that do nothing, the parent's after the child's, as a careful hand writes them.
void launch_by_fork_with_hooks(const Program& program) {
    const Signal child_is_done;
    const Signal parent_is_done;
    const pid_t child = fork();
    if (child == 0) {
        child_is_done.only_send();
        parent_is_done.only_wait();
        child_is_done.send();
        parent_is_done.wait();
        program.execute();
    }
    child_is_done.wait();
    parent_is_done.send();
    reap(child, "fork with hooks");
}

void launch_into(Namespaces namespaces, const Program& program) {
    const Signal maps_are_written;
    const auto child = static_cast<pid_t>(
        syscall(SYS_clone, static_cast<unsigned long>(namespaces) | SIGCHLD, 0, nullptr, 0, 0));
    if (child == 0) {
        maps_are_written.only_wait();
        maps_are_written.wait();
        program.execute();
    }
    expect(child > 0 && write_id_maps(child), "clone into namespaces");
    maps_are_written.send();
    reap(child, "clone into namespaces");
}

// A stack for one child at a time of the thread that asks.
char* end_of_a_stack() {
    constexpr std::size_t size = std::size_t{64} * 1024;
    thread_local char* const stack = [] {
        void* const memory =
            mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        expect(memory != MAP_FAILED, "no room for a stack");
        return static_cast<char*>(memory);
    }();
    return stack + size;
}

// What no launcher does without: memory is shared as in vfork, but the parent goes on, to write the maps, and a
// word tells the child that it has.
void launch_into_user_namespace(const Program& program) {
    struct Launch {
        const Program& program;
        detail::Word are_maps_written{0};
    } launch{program};
    const auto execute = [](void* argument) {
        auto& its = *static_cast<Launch*>(argument);
        while (its.are_maps_written.load() == 0) {
            detail::sleep_while(its.are_maps_written, detail::Waker::other_side, 0, {1, 0});
        }
        its.program.execute();
        return 0;
    };
    const pid_t child =
        clone(execute, end_of_a_stack(), CLONE_VM | CLONE_NEWUSER | SIGCHLD, &launch);
    expect(child > 0 && write_id_maps(child), "clone into a user namespace");
    launch.are_maps_written = 1;
    detail::wake(launch.are_maps_written, detail::Waker::other_side);
    reap(child, "clone into a user namespace");
}

}  // namespace

std::vector<Method> methods_of(const std::string& program) {
    const auto bare = std::make_shared<Program>(program);
    return {
        ours("syncspawn_shared", program, StartMethod::shared_memory, Hooks::none),
        ours("syncspawn_shared_hooks", program, StartMethod::shared_memory, Hooks::both_sides),
        ours("syncspawn_copied", program, StartMethod::copied_memory, Hooks::none),
        ours("syncspawn_copied_hooks", program, StartMethod::copied_memory, Hooks::both_sides),
        {"vfork_execve", [bare] { launch_by_vfork(*bare); }},
        {"posix_spawn", [bare] { launch_by_posix_spawn(*bare); }},
        {"fork_execve", [bare] { launch_by_fork(*bare); }},
        {"fork_execve_hooks", [bare] { launch_by_fork_with_hooks(*bare); }},
    };
}

std::vector<Method> namespace_methods_of(const std::string& program) {
    const auto bare = std::make_shared<Program>(program);
    const auto ours_into = [&](const char* name, StartMethod start, Namespaces namespaces) {
        return ours(name, program, start, Hooks::id_maps, namespaces);
    };
    return {
        ours_into("syncspawn_shared_user", StartMethod::shared_memory, Namespaces::user),
        ours_into("syncspawn_shared_all", StartMethod::shared_memory, all_namespaces),
        ours_into("syncspawn_copied_user", StartMethod::copied_memory, Namespaces::user),
        ours_into("syncspawn_copied_all", StartMethod::copied_memory, all_namespaces),
        {"clone_user", [bare] { launch_into_user_namespace(*bare); }},
        {"fork_user", [bare] { launch_into(Namespaces::user, *bare); }},
        {"fork_all", [bare] { launch_into(all_namespaces, *bare); }},
    };
}

}  // namespace syncspawn::bench
