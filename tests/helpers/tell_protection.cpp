// "PATH...": says, line by line, what it may do and what it is, in words that are the same for the same protection. The
// variable HOST has the namespaces outside, one after the other, and a process there, which it tries to signal.
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <set>
#include <sstream>
#include <string>

namespace {

void tell(const std::string& what, long answer) {
    const std::string said = answer >= 0 ? "yes" : std::strerror(errno);
    std::printf("%s: %s\n", what.c_str(), said.c_str());
}

void tell_lines(const char* path, const std::initializer_list<const char*>& keys) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        for (const char* const key : keys) {
            if (line.starts_with(key)) {
                std::puts(line.c_str());
            }
        }
    }
}

// What is covered cannot be reached.
bool is_in_sight(const std::string& place, unsigned long mount) {
    struct statx about {};
    return statx(AT_FDCWD, place.c_str(), AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &about) == 0 &&
           about.stx_mnt_id == mount;
}

// Without the numbers, which are others each time: root, mount point, options.
void tell_mounts() {
    std::ifstream file("/proc/self/mountinfo");
    std::set<std::string> all;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        unsigned long mount = 0;
        std::string parent;
        std::string device;
        std::string root;
        std::string place;
        std::string options;
        std::string peers;
        words >> mount >> parent >> device >> root >> place >> options >> peers;
        if (is_in_sight(place, mount)) {
            all.insert("mount " + root + " " + place + " " + options +
                       (peers == "-" ? "" : " with peers"));
        }
    }
    for (const std::string& mount : all) {
        std::puts(mount.c_str());
    }
}

void tell_namespaces(std::istream& host) {
    for (const char* const name : {"mnt", "pid", "net", "ipc", "uts", "user", "cgroup", "time"}) {
        std::string outside;
        host >> outside;
        char link[64] = {};
        const std::string path = std::string("/proc/self/ns/") + name;
        const bool is_known = readlink(path.c_str(), link, sizeof link - 1) > 0;
        std::printf("%s: %s\n", name, !is_known ? "not known" : outside == link ? "host" : "own");
    }
}

void tell_limits() {
    for (int resource = 0; resource < static_cast<int>(RLIM_NLIMITS); ++resource) {
        rlimit limit{};
        getrlimit(static_cast<__rlimit_resource_t>(resource), &limit);
        std::printf("limit %d: %lu %lu\n", resource, limit.rlim_cur, limit.rlim_max);
    }
}

// What it makes, it removes, if it is not killed in between.
void tell_attempts(const char* path) {
    const int read_only = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    tell(std::string("read ") + path, read_only);
    close(read_only);
    const int made = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made >= 0) {
        unlink(path);
    }
    tell(std::string("make ") + path, made);
    close(made);
    const int writable = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    tell(std::string("write ") + path, writable);
    close(writable);
}

void tell_sockets() {
    for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK}) {
        const int fd =
            socket(family, family == AF_PACKET ? SOCK_RAW : SOCK_DGRAM | SOCK_CLOEXEC, 0);
        tell("socket family " + std::to_string(family), fd);
        close(fd);
    }
}

}  // namespace

int main(int count, char** words) {
    for (int fd = 0; fd < 64; ++fd) {
        if (fcntl(fd, F_GETFD) >= 0) {
            std::printf("descriptor %d\n", fd);
        }
    }
    tell_lines("/proc/self/status",
               {"Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "Cap", "SigBlk", "SigIgn"});
    const char* const outside = std::getenv("HOST");
    std::istringstream host(outside != nullptr ? outside : "");
    tell_namespaces(host);
    pid_t process = 0;
    host >> process;
    tell_mounts();
    tell_limits();
    tell_sockets();
    for (int index = 1; index < count; ++index) {
        tell_attempts(words[index]);
    }
    int death_signal = 0;
    prctl(PR_GET_PDEATHSIG, &death_signal);
    const char* const directory = std::getenv("TMPDIR");
    char name[64] = {};
    gethostname(name, sizeof name - 1);
    std::printf("tmp %s, name %s, death signal %d, securebits %d, cpus %ld\n",
                directory != nullptr ? directory : "none", name, death_signal,
                prctl(PR_GET_SECUREBITS), sysconf(_SC_NPROCESSORS_ONLN));
    tell("signal outside", kill(process, 0));
    tell("kernel's keys", syscall(SYS_keyctl, 0, -3, 0));
    tell("new user namespace", unshare(CLONE_NEWUSER));
    tell("trace the first", open("/proc/1/mem", O_RDONLY | O_CLOEXEC));
    tell("look into the parent", open("/proc/1/environ", O_RDONLY | O_CLOEXEC));
    std::fflush(stdout);
    return 42;
}
