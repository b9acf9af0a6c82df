#include "bare_sandbox.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <utility>
#include <vector>

#include "launcher/sandbox/child/mounts_calls.hpp"
#include "machine.hpp"

namespace syncspawn::bench {
namespace {

namespace calls = sandbox::calls;

constexpr std::uint64_t quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
constexpr std::uint64_t no_programs = quiet | MOUNT_ATTR_NOEXEC;
constexpr unsigned whole_tree = OPEN_TREE_CLONE | AT_RECURSIVE;

// The child has its parent's memory, so it does not leave by exit(3).
void need(bool holds, const char* what) noexcept {
    if (!holds) {
        std::perror(what);
        _exit(126);
    }
}

int need_fd(int fd, const char* what) noexcept {
    need(fd >= 0, what);
    return fd;
}

void write_file(const char* path, const char* text) noexcept {
    const int fd = need_fd(open(path, O_WRONLY | O_CLOEXEC), path);
    need(write(fd, text, std::strlen(text)) > 0, path);
    close(fd);
}

// ---- mounts ---------------------------------------------------------------------------------------

struct Setting {
    const char* key;
    const char* value;
};

int new_file_system(const char* type, std::initializer_list<Setting> settings,
                    std::uint64_t attributes) noexcept {
    const int context = need_fd(calls::fsopen(type), type);
    for (const Setting& setting : settings) {
        need(calls::configure(context, setting.key, setting.value), setting.key);
    }
    need(calls::create(context), type);
    const int mount = need_fd(calls::fsmount(context, attributes), type);
    close(context);
    return mount;
}

struct Place {
    int directory;
    const char* name;
};

void move_clone(const Place& from, const Place& to) noexcept {
    const int tree =
        need_fd(calls::open_tree(from.directory, from.name, OPEN_TREE_CLONE), from.name);
    need(calls::move_mount(tree, to.directory, to.name), to.name);
    close(tree);
}

// What lies over files of /proc: an empty directory and an empty file, which nobody can open.
int make_covers() noexcept {
    const int covers = new_file_system("tmpfs", {{"mode", "0700"}}, 0);
    need(mkdirat(covers, "directory", 0) == 0 && mknodat(covers, "file", S_IFREG, 0) == 0 &&
             calls::set_attributes(covers, 0, no_programs | MOUNT_ATTR_RDONLY) &&
             calls::move_mount(covers, AT_FDCWD, "/"),
         "covers");
    return covers;
}

void mount_proc(int root, int covers, const BareSandbox::KernelFiles& files) noexcept {
    const int proc = new_file_system("proc", {}, no_programs | MOUNT_ATTR_RDONLY);
    need(calls::move_mount(proc, root, "proc"), "move_mount: proc");
    for (const char* name : files.read_only) {
        move_clone({proc, name}, {proc, name});
    }
    need(calls::set_attributes(proc, 0, 0, MOUNT_ATTR_RDONLY), "mount_setattr: proc");
    for (const char* name : files.covered_directories) {
        move_clone({covers, "directory"}, {proc, name});
    }
    for (const char* name : files.covered_files) {
        move_clone({covers, "file"}, {proc, name});
    }
    close(proc);
}

void mount_devices(int root) noexcept {
    constexpr std::uint64_t safe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    const int dev = new_file_system("tmpfs", {{"mode", "0755"}}, safe);
    need(calls::move_mount(dev, root, "dev"), "move_mount: dev");
    for (const char* path :
         {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"}) {
        const char* const name = path + std::strlen("/dev/");
        need(mknodat(dev, name, S_IFREG, 0) == 0, name);
        move_clone({AT_FDCWD, path}, {dev, name});
    }
    need(calls::set_attributes(dev, AT_RECURSIVE, safe | MOUNT_ATTR_RDONLY) &&
             calls::set_attributes(dev, 0, 0, MOUNT_ATTR_RDONLY),
         "mount_setattr: dev");
    for (const auto& [target, name] :
         std::initializer_list<std::pair<const char*, const char*>>{{"/proc/self/fd", "fd"},
                                                                    {"/proc/self/fd/0", "stdin"},
                                                                    {"/proc/self/fd/1", "stdout"},
                                                                    {"/proc/self/fd/2", "stderr"},
                                                                    {"pts/ptmx", "ptmx"}}) {
        need(symlinkat(target, dev, name) == 0, name);
    }
    need(mkdirat(dev, "shm", 01777) == 0 && mkdirat(dev, "pts", 0755) == 0, "mkdirat: dev");
    const int pts = new_file_system("devpts", {{"ptmxmode", "0666"}, {"mode", "0620"}}, safe);
    need(calls::move_mount(pts, dev, "pts"), "move_mount: pts");
    close(pts);
    close(dev);
}

void lay_out_files(const BareSandbox::KernelFiles& files) noexcept {
    need(syscall(SYS_mount, nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "mount");
    const int root = need_fd(calls::open_tree(AT_FDCWD, "/", whole_tree), "open_tree: /");
    const int covers = make_covers();
    need(calls::set_attributes(root, AT_RECURSIVE, quiet | MOUNT_ATTR_RDONLY) &&
             calls::move_mount(root, AT_FDCWD, "/"),
         "the new root");
    mount_devices(root);
    mount_proc(root, covers, files);
    need(fchdir(root) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
             syscall(SYS_umount2, ".", calls::detach) == 0 &&
             syscall(SYS_umount2, ".", calls::detach) == 0 && chdir("/") == 0,
         "pivot_root");
    close(covers);
    close(root);
}

// ---- the rest -------------------------------------------------------------------------------------

void bring_loopback_up() noexcept {
    const int any = need_fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    ifreq loopback{};
    std::memcpy(loopback.ifr_name, "lo", sizeof "lo");
    need(ioctl(any, SIOCGIFFLAGS, &loopback) == 0, "SIOCGIFFLAGS");
    loopback.ifr_flags = static_cast<short>(loopback.ifr_flags | IFF_UP);
    need(ioctl(any, SIOCSIFFLAGS, &loopback) == 0, "SIOCSIFFLAGS");
    close(any);
}

void give_up_privileges() noexcept {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const __user_cap_data_struct none[2]{};
    need(syscall(SYS_capset, &header, none) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0,
         "privileges");
}

void execute(const std::string& path) noexcept {
    const char* const arguments[]{path.c_str(), nullptr};
    execve(path.c_str(), const_cast<char* const*>(arguments), environ);
    need(false, path.c_str());
}

char* end_of_a_stack() {
    constexpr std::size_t size = std::size_t{64} * 1024;
    static char* const stack = [] {
        void* const memory =
            mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        expect(memory != MAP_FAILED, "no room for a stack");
        return static_cast<char*>(memory);
    }();
    return stack + size;
}

std::vector<const char*> existing_in_proc(std::initializer_list<const char*> names) {
    std::vector<const char*> existing;
    for (const char* name : names) {
        if (access((std::string("/proc/") + name).c_str(), F_OK) == 0) {
            existing.push_back(name);
        }
    }
    return existing;
}

}  // namespace

BareSandbox::BareSandbox(std::string program, const std::string& init, FirstInside first)
    : program_(std::move(program)),
      init_(open(init.c_str(), O_PATH | O_CLOEXEC)),
      first_(first),
      kernel_files_{
          .read_only = existing_in_proc({"bus", "fs", "irq", "sys", "sysrq-trigger"}),
          .covered_directories = existing_in_proc({"acpi", "asound", "scsi"}),
          .covered_files = existing_in_proc(
              {"kcore", "keys", "latency_stats", "sched_debug", "timer_list", "timer_stats"})} {
    std::snprintf(users_, sizeof users_, "0 %u 1\n", geteuid());
    std::snprintf(groups_, sizeof groups_, "0 %u 1\n", getegid());
}

BareSandbox::~BareSandbox() { close(init_); }

void BareSandbox::set_up() const noexcept {
    write_file("/proc/self/uid_map", users_);
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/gid_map", groups_);
    lay_out_files(kernel_files_);
    bring_loopback_up();
    give_up_privileges();
    if (first_ == FirstInside::program) {
        execute(program_);
    }
    // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork): the cheapest second process
    const pid_t program = vfork();
    if (program == 0) {
        execute(program_);  // NOLINT(clang-analyzer-unix.Vfork): it calls execve
    }
    need(program > 0, "vfork");
    const char* const arguments[]{"init", nullptr};
    syscall(SYS_execveat, init_, "", arguments, environ, AT_EMPTY_PATH);
    need(false, "execveat");
}

void BareSandbox::launch() const {
    constexpr int everything = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                               CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    const auto run = [](void* sandbox) {
        static_cast<const BareSandbox*>(sandbox)->set_up();
        return 0;
    };
    const pid_t child = clone(run, end_of_a_stack(), CLONE_VM | CLONE_VFORK | everything | SIGCHLD,
                              const_cast<BareSandbox*>(this));
    int status = -1;
    expect(child > 0 && waitpid(child, &status, 0) == child && status == 0, "bare sandbox");
}

}  // namespace syncspawn::bench
