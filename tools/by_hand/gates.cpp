#include "gates.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "barrier/linux/fresh_descriptor.hpp"
#include "tools/command_line/command_line.hpp"
#include "tools/messages.hpp"

namespace syncspawn::tools {
namespace {

struct NamespaceName {
    const char* key;
    const char* file;  // in /proc
};
constexpr std::array names_of_namespaces{NamespaceName{"cgroup-namespace", "self/ns/cgroup"},
                                         NamespaceName{"ipc-namespace", "self/ns/ipc"},
                                         NamespaceName{"mnt-namespace", "self/ns/mnt"},
                                         NamespaceName{"net-namespace", "self/ns/net"},
                                         NamespaceName{"pid-namespace", "self/ns/pid"},
                                         NamespaceName{"uts-namespace", "self/ns/uts"}};

bool write_all(int fd, const std::string& text) {
    std::size_t written = 0;
    while (written < text.size()) {
        const ssize_t count = write(fd, text.data() + written, text.size() - written);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        written += count < 0 ? 0 : static_cast<std::size_t>(count);
    }
    return true;
}

// "a": 1, and so on.
std::vector<std::string> members_about(ParentSide& side, int proc) {
    std::vector<std::string> members{"\"child-pid\": " + std::to_string(side.child_pid())};
    for (const NamespaceName& name : names_of_namespaces) {
        const UniqueFd sent = side.take_descriptor();
        struct stat childs {};
        struct stat own {};
        if (fstat(sent.get(), &childs) == 0 && fstatat(proc, name.file, &own, 0) == 0 &&
            childs.st_ino != own.st_ino) {
            members.push_back("\"" + std::string(name.key) +
                              "\": " + std::to_string(childs.st_ino));
        }
    }
    return members;
}

std::string joined(const std::vector<std::string>& members, const std::string& between) {
    std::string text;
    for (const std::string& member : members) {
        text += (text.empty() ? "" : between) + member;
    }
    return text;
}

std::error_code write_lines(ParentSide& side, const Gates& gates, int proc) {
    const std::vector<std::string> members = members_about(side, proc);
    if (gates.status >= 0 && !write_all(gates.status, "{ " + joined(members, ", ") + " }\n")) {
        return side.fail("write to --json-status-fd");
    }
    if (gates.info >= 0 &&
        !write_all(gates.info, "{\n    " + joined(members, ",\n    ") + "\n}\n")) {
        return side.fail("write to --info-fd");
    }
    if (gates.info > STDERR_FILENO && gates.info != gates.status) {
        close(gates.info);  // who reads it waits for the end
    }
    return side.done();
}

// The child finds its namespaces in the /proc of this process: in its own tree there may be none.
Step tell_of_child(const Gates& gates) {
    UniqueFd proc(detail::above_standard_streams(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)));
    if (!proc) {
        throw std::system_error(errno, std::generic_category(), "open '/proc'");
    }
    const int number = proc.get();
    return {.name = "information about the child",
            .child = shared_memory([number](ChildSide& side) {
                for (const NamespaceName& name : names_of_namespaces) {
                    const int opened = openat(number, name.file, O_RDONLY | O_CLOEXEC);
                    if (opened < 0) {
                        return side.fail(name.key);
                    }
                    const std::error_code error = side.send_descriptor(opened);
                    close(opened);
                    if (error) {
                        return error;
                    }
                }
                return side.done();
            }),
            .parent = [gates, proc = std::move(proc)](
                          ParentSide& side) { return write_lines(side, gates, proc.get()); },
            .order = StepOrder::child_first,
            .descriptors = {number},
            .sends_descriptors = static_cast<int>(names_of_namespaces.size())};
}

bool is_readable(int fd) {
    pollfd watched{fd, POLLIN, 0};
    return poll(&watched, 1, 0) > 0;
}

std::error_code wait_at(ParentSide& side, int fd) {
    if (!is_readable(fd)) {
        return side.wait_for(fd);
    }
    char byte = 0;
    const ssize_t count = read(fd, &byte, 1);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return side.wait_for(fd);
    }
    if (count == 0) {
        return side.fail(ECANCELED, "it was closed, and no byte had come");
    }
    return count < 0 ? side.fail("read") : side.done();
}

Step gate(const std::string& option, int fd) {
    return {.name = option + " " + std::to_string(fd),
            .parent = [fd](ParentSide& side) { return wait_at(side, fd); },
            .order = StepOrder::parent_first};
}

// Held by this process: a lock of the open file, not of a process, so it lasts as long as the descriptor.
std::error_code lock(ParentSide& side) {
    auto& file = side.state<UniqueFd>();
    file = side.take_descriptor();
    struct flock whole {};
    whole.l_type = F_RDLCK;
    whole.l_whence = SEEK_SET;
    // A directory has no locks, and bubblewrap does not mind.
    if (fcntl(file.get(), F_OFD_SETLK, &whole) < 0 && errno != EBADF && errno != EINVAL) {
        return side.fail("lock");
    }
    return side.done();
}

Step locked_file(const std::string& path) {
    return {.name = "--lock-file " + path,
            .child = shared_memory([path](ChildSide& side) {
                const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
                if (file < 0) {
                    return side.fail("open");
                }
                const std::error_code error = side.send_descriptor(file);
                close(file);
                return error;
            }),
            .parent = lock,
            .order = StepOrder::child_first,
            // So the state lasts as long as the program.
            .after_end = [](ParentSide& side) { side.state<UniqueFd>().reset(); },
            .sends_descriptors = 1};
}

class ExitCodeLine : public Observer {
public:
    explicit ExitCodeLine(int status) : status_(status) {}
    void ended(const Process& /*program*/, const ExitStatus& status) override {
        const std::string line = "{ \"exit-code\": " + std::to_string(status.shell_code()) + " }\n";
        if (!write_all(status_, line)) {
            complain("write to --json-status-fd: " + std::generic_category().message(errno));
        }
    }

private:
    int status_;
};

bool tells(const Gates& gates) { return gates.info >= 0 || gates.status >= 0; }

}  // namespace

std::vector<int> Gates::descriptors() const {
    std::vector<int> used = sync;
    for (const int fd : {block, user_namespace, info, status}) {
        if (fd >= 0) {
            used.push_back(fd);
        }
    }
    return used;
}

void settle(const Gates& gates, Surroundings& surroundings) {
    if (gates.user_namespace < 0) {
        return;
    }
    if (surroundings.unshare.user != Wanted::yes) {
        throw UsageError("--userns-block-fd requires --unshare-user");
    }
    if (!tells(gates)) {
        throw UsageError("--userns-block-fd requires --info-fd");
    }
    surroundings.maps.is_written_by_others = true;
}

void add_early_gates(SyncedSpawner& spawner, const Gates& gates) {
    for (const int fd : gates.descriptors()) {
        if (fd > STDERR_FILENO) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
    }
    if (gates.user_namespace < 0) {
        return;
    }
    if (tells(gates)) {
        spawner.step(tell_of_child(gates));
    }
    spawner.step(gate("--userns-block-fd", gates.user_namespace));
}

void add_late_gates(SyncedSpawner& spawner, const Gates& gates) {
    for (const std::string& path : gates.lock_files) {
        spawner.step(locked_file(path));
    }
    if (tells(gates) && gates.user_namespace < 0) {
        spawner.step(tell_of_child(gates));
    }
    if (gates.block >= 0) {
        spawner.step(gate("--block-fd", gates.block));
    }
}

std::unique_ptr<Observer> exit_code_observer(const Gates& gates) {
    return gates.status < 0 ? nullptr : std::make_unique<ExitCodeLine>(gates.status);
}

}  // namespace syncspawn::tools
