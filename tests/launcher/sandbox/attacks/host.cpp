#include "host.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <vector>

#include "scene.hpp"
#include "support/namespaces.hpp"
#include "support/peer.hpp"

namespace syncspawn::attacks {
namespace {

using namespace testing;

constexpr int kinds = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

void write_map(const char* path, const std::string& text) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    expect(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    close(fd);
}

void mount_tmpfs(const char* path) {
    if (mount("none", path, "tmpfs", 0, "mode=777") < 0) {
        leave_out_here("this machine lets nobody mount on /mnt and /run");
    }
}

// Files of the program's user, whom nothing but the sandbox keeps from them.
class Files {
public:
    explicit Files(Ids owner) : owner_(owner) {}

    void directory(const char* path) const {
        expect(mkdir(path, 0777) == 0 && chown(path, owner_.user, owner_.group) == 0);
    }
    void file(const std::string& path, const char* text = token) const {
        std::ofstream(path) << text;
        expect(chmod(path.c_str(), 0666) == 0 &&
               chown(path.c_str(), owner_.user, owner_.group) == 0);
    }
    void program(const char* path) const {
        std::filesystem::copy_file(SYNCSPAWN_TEST_HELPERS "/attack", path);
        expect(chmod(path, 0755) == 0);
    }

private:
    Ids owner_;
};

void lay_out(const Files& files) {
    for (const char* const path :
         {work, tree, "/mnt/tree/a", "/mnt/tree/b", "/mnt/tree/b/deep", "/mnt/tree/c",
          "/mnt/tree/d", vendor, keys, other_keys, "/mnt/outside", read_only_mount,
          "/mnt/mounted-too", cover, "/mnt/swapped", swapped}) {
        files.directory(path);
    }
    for (const char* const path : gits) {
        files.directory(path);
        files.file(std::string(path) + "/config");
    }
    for (const char* const path :
         {outside_file, "/mnt/outside/removable", "/mnt/outside/movable", "/mnt/outside/readable",
          "/mnt/outside/inherited", "/mnt/outside/by-directory", "/mnt/mounted/file",
          "/mnt/covered/secret", "/mnt/tree/vendor/file", "/mnt/tree/keys/secret",
          "/mnt/tree/other-keys/secret"}) {
        files.file(path);
    }
    if (access("/dev/shm", F_OK) == 0) {
        mount_tmpfs("/dev/shm");
        files.file("/dev/shm/syncspawn-attacks");
    }
    expect(symlink("d", protected_link) == 0 && symlink("/mnt/outside", swapped_link) == 0);
    files.program(attack_program);
}

void mount_for_attacks() {
    for (const char* const path : {read_only_mount, "/mnt/mounted-too"}) {
        expect(mount(path, path, nullptr, MS_BIND, nullptr) == 0);
        expect(mount(nullptr, path, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0);
    }
    mount_tmpfs(cover);
}

// Of others than the program's user. Who is not root cannot make them, and the attacks find that out.
void make_privileged_files(const Files& files, Ids program) {
    const uid_t other = program.user == 0 ? 1 : 0;
    files.program("/mnt/outside/set-user-id");
    (void)!chown("/mnt/outside/set-user-id", other, other);
    expect(chmod("/mnt/outside/set-user-id", 04755) == 0);
    files.program("/mnt/outside/capable");
    const vfs_cap_data data{.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
                            .data = {{.permitted = 1U << CAP_NET_RAW, .inheritable = 0}, {}}};
    (void)!setxattr("/mnt/outside/capable", "security.capability", &data, sizeof data, 0);
    files.file("/mnt/outside/of-nobody");
    expect(chmod("/mnt/outside/of-nobody", 0600) == 0);
    (void)!chown("/mnt/outside/of-nobody", 12345, 12345);
}

void bring_network_up() {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    expect(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
    std::strcpy(request.ifr_name, "lo:1");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, host_address, &address.sin_addr);
    std::memcpy(&request.ifr_addr, &address, sizeof address);
    expect(ioctl(fd, SIOCSIFADDR, &request) == 0);
    close(fd);
}

int bound(int family, int type, const void* address, std::size_t size) {
    const int fd = socket(family, type | SOCK_CLOEXEC, 0);
    expect(bind(fd, static_cast<const sockaddr*>(address), static_cast<socklen_t>(size)) == 0);
    expect(type != SOCK_STREAM || listen(fd, 16) == 0);
    return fd;
}

int bound_inet(int type) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    return bound(AF_INET, type, &address, sizeof address);
}

int bound_abstract(int type, const char* name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path + 1, name);
    return bound(AF_UNIX, type, &address, offsetof(sockaddr_un, sun_path) + 1 + std::strlen(name));
}

int bound_path(const char* path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path);
    const int fd = bound(AF_UNIX, SOCK_STREAM, &address, sizeof address);
    expect(chmod(path, 0666) == 0);
    return fd;
}

// Gives the token to whoever connects, or sends something.
void answer(int fd) {
    const int client = accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0) {
        (void)!send(client, token, token_size, MSG_NOSIGNAL);
        close(client);
        return;
    }
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    char any[16];
    if (recvfrom(fd, any, sizeof any, 0, reinterpret_cast<sockaddr*>(&from), &size) >= 0 &&
        size > sizeof(sa_family_t)) {
        (void)sendto(fd, token, token_size, 0, reinterpret_cast<sockaddr*>(&from), size);
    }
}

// In a process of its own, which ends with the host.
void serve(std::initializer_list<int> sockets) {
    if (fork() != 0) {
        return;
    }
    std::vector<pollfd> watched;
    for (const int fd : sockets) {
        watched.push_back({fd, POLLIN, 0});
    }
    for (;;) {
        poll(watched.data(), watched.size(), -1);
        for (const pollfd& one : watched) {
            if (one.revents != 0) {
                answer(one.fd);
            }
        }
    }
}

void make_memory_for_all() {
    const int id = shmget(shared_memory_key, 4096, IPC_CREAT | 0666);
    void* const memory = shmat(id, nullptr, 0);
    expect(id >= 0 && reinterpret_cast<std::intptr_t>(memory) != -1);
    std::memcpy(memory, token, sizeof token);
    mq_attr sizes{};
    sizes.mq_maxmsg = 1;
    sizes.mq_msgsize = sizeof token;
    expect(mq_open(queue, O_RDWR | O_CREAT | O_CLOEXEC, 0666, &sizes) >= 0);
}

// A terminal; its path. This process keeps both ends.
std::string new_terminal(Ids owner, int& end) {
    const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char path[64];
    expect(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    expect(ptsname_r(master, path, sizeof path) == 0);
    end = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    expect(end >= 0 && fchown(end, owner.user, owner.group) == 0);
    return path;
}

Seen* seen_by_victim = nullptr;
void count(int signal) { ++seen_by_victim->signals[signal]; }

}  // namespace

void give_up_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3]{};
    expect(syscall(SYS_capset, &header, none) == 0);
}

void enter_host_namespaces() {
    const std::string user = std::to_string(geteuid());
    const std::string group = std::to_string(getegid());
    const bool is_root = geteuid() == 0;
    if (unshare(is_root ? kinds : kinds | CLONE_NEWUSER) < 0) {
        leave_out_here("this machine forbids new namespaces");
    }
    if (!is_root) {
        write_map("/proc/self/setgroups", "deny");
        write_map("/proc/self/uid_map", user + " " + user + " 1");
        write_map("/proc/self/gid_map", group + " " + group + " 1");
    }
}

Host::Host(Ids program) {
    umask(0);
    expect(setsid() > 0);
    make_mounts_private("/");
    mount_tmpfs("/mnt");
    mount_tmpfs("/run");
    // Terminals of its own. Where they cannot be had, those that are there are used.
    (void)mkdir("/dev/pts", 0755);
    (void)mount("none", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=666,mode=620");
    if (mount("proc", "/proc", "proc", 0, nullptr) < 0) {
        leave_out_here("this machine forbids a new /proc");
    }
    const Files files(program);
    lay_out(files);
    make_privileged_files(files, program);
    mount_for_attacks();
    bring_network_up();
    serve({bound_inet(SOCK_STREAM), bound_inet(SOCK_DGRAM),
           bound_abstract(SOCK_STREAM, abstract_service),
           bound_abstract(SOCK_DGRAM, "syncspawn-attacks-datagrams"), bound_path(service)});
    make_memory_for_all();
    make_terminals(program);
    start_victim(program);
    // Of this one every child has a copy, as a careless launcher's would.
    root_ = open("/", O_RDONLY | O_DIRECTORY);
    expect(root_ >= 0);
}

void Host::make_terminals(Ids program) {
    int own = -1;
    int other = -1;
    (void)new_terminal(program, own);
    terminal_ = new_terminal(program, other);
    expect(ioctl(own, TIOCSCTTY, 0) == 0);
    expect(dup2(own, 0) == 0);
}

void Host::start_victim(Ids program) {
    secret_ = open("/mnt/tree/keys/secret", O_RDONLY | O_CLOEXEC);
    seen_by_victim = &*seen_;
    pid_t number = victim;
    clone_args arguments{};
    arguments.exit_signal = SIGCHLD;
    arguments.set_tid = reinterpret_cast<std::uintptr_t>(&number);
    arguments.set_tid_size = 1;
    const long child = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child != 0) {
        expect(child == victim);
        return;
    }
    for (const int signal : {SIGCONT, SIGUSR1}) {
        struct sigaction action {};
        action.sa_handler = count;
        sigaction(signal, &action, nullptr);
    }
    expect(chdir(keys) == 0);
    expect(setresgid(program.group, program.group, program.group) == 0);
    expect(setresuid(program.user, program.user, program.user) == 0);
    expect(prctl(PR_SET_DUMPABLE, 1) == 0);
    give_up_capabilities();
    for (;;) {
        pause();
    }
}

void Host::start_late_services() { serve({bound_path(late_service), bound_path(run_service)}); }

void Host::make_keyring() {
    expect(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) > 0);
    expect(syscall(SYS_add_key, "user", key_of_session, "x", std::size_t{1},
                   KEY_SPEC_SESSION_KEYRING) > 0);
}

}  // namespace syncspawn::attacks
