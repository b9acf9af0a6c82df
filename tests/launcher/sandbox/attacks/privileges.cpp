// Attempts to get privileges.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>

#include "attack.hpp"

namespace syncspawn::attacks {
namespace {

Outcome run_set_user_id() {
    struct stat about {};
    if (stat("/mnt/outside/set-user-id", &about) == 0 && about.st_uid == getuid()) {
        return untried("there is no file of another user, for that takes root");
    }
    return by(program_says_yes("/mnt/outside/set-user-id", "other-user"));
}

Outcome run_file_capabilities() {
    if (getxattr("/mnt/outside/capable", "security.capability", nullptr, 0) < 0) {
        return untried("there is no file with capabilities, for that takes root");
    }
    return by(program_says_yes("/mnt/outside/capable", "capabilities"));
}

Outcome run_as_root() { return by(program_says_yes(attack_program, "capabilities")); }

// For others to run.
Outcome leave_set_user_id() {
    const std::string own = std::string(work) + "/set-user-id";
    struct stat about {};
    const int fd = open(own.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    return by(fd >= 0 && fchmod(fd, 04755) == 0 && fstat(fd, &about) == 0 &&
              (about.st_mode & S_ISUID) != 0);
}

Outcome become_another() { return by(setresuid(1, 1, 1) == 0); }
Outcome take_groups() {
    const gid_t group = 0;
    return by(setgroups(1, &group) == 0 && setgroups(0, nullptr) == 0);
}
Outcome ignore_permissions() {
    struct stat about {};
    if (stat("/mnt/outside/of-nobody", &about) == 0 && about.st_uid == getuid()) {
        return untried("there is no file of another user, for that takes root");
    }
    return by(open("/mnt/outside/of-nobody", O_RDONLY | O_CLOEXEC) >= 0);
}

Outcome unshare_user() { return by(unshare(CLONE_NEWUSER) == 0); }
Outcome unshare_network() { return by(unshare(CLONE_NEWNET) == 0); }

// As fork(2) does, so it returns twice.
Outcome waited_for(long child) {
    if (child == 0) {
        _exit(0);
    }
    const int error = errno;
    if (child > 0) {
        waitpid(static_cast<pid_t>(child), nullptr, 0);
    }
    errno = error;
    return by(child > 0);
}

Outcome clone_user() {
    return waited_for(
        syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

// The kernel looks at 32 bits of clone's flags.
Outcome clone_user_by_high_bits() {
    const std::uint64_t flags = (std::uint64_t{1} << 40) | CLONE_NEWUSER | SIGCHLD;
    return waited_for(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
}

Outcome clone3_user() {
    clone_args arguments{};
    arguments.flags = CLONE_NEWUSER;
    arguments.exit_signal = SIGCHLD;
    return waited_for(syscall(SYS_clone3, &arguments, sizeof arguments));
}

Outcome find_key() {
    return by(syscall(SYS_request_key, "user", key_of_session, nullptr, 0) > 0 ||
              syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", key_of_session,
                      0) > 0);
}

bool answers_of_ioctl(unsigned long request) {
    const char typed = 'x';
    return ioctl(0, request, &typed) == 0;
}

Outcome type_into_terminal() {
    if (isatty(0) == 0) {
        return untried("standard input is no terminal");
    }
    if (answers_of_ioctl(TIOCSTI)) {
        return worked();
    }
    return errno == EIO ? untried("dev.tty.legacy_tiocsti is 0, so the kernel forbids it itself")
                        : denied();
}

// The kernel looks at 32 bits of the request.
Outcome type_by_high_bits() {
    const char typed = 'x';
    return by(syscall(SYS_ioctl, 0, (std::uint64_t{1} << 32) | TIOCSTI, &typed) == 0 ||
              errno == EIO);
}

// A pseudo-terminal does not know it, and says so.
Outcome select_on_console() { return reached(answers_of_ioctl(TIOCLINUX) ? 0 : -1); }

Outcome write_to_other_terminal() {
    return by(open(scene().terminal, O_RDWR | O_NOCTTY | O_CLOEXEC) >= 0);
}

}  // namespace

std::span<const Attack> attacks_on_privileges() {
    static constexpr Attack all[]{
        {"run a set-user-ID program", run_set_user_id},
        {"run a program with file capabilities", run_file_capabilities},
        {"get capabilities as root, by execve(2)", run_as_root, Without::root_can},
        {"leave a set-user-ID program for others", leave_set_user_id},
        {"become another user", become_another, Without::root_can},
        {"take other groups", take_groups, Without::root_can},
        {"read what root alone may read, as root", ignore_permissions, Without::root_can},
        {"make a user namespace by unshare(2)", unshare_user},
        {"make a user namespace by clone(2)", clone_user},
        {"make a user namespace by clone(2), with high bits", clone_user_by_high_bits},
        {"make a user namespace by clone3(2)", clone3_user, Without::everybody_can, ENOSYS},
        {"make a network namespace", unshare_network, Without::root_can},
        {"find a key of the session", find_key, Without::everybody_can, ENOSYS},
        {"type into the terminal", type_into_terminal},
        {"type into the terminal, with high bits", type_by_high_bits},
        {"paste into the console", select_on_console},
        {"open another terminal of the user", write_to_other_terminal},
    };
    return all;
}

}  // namespace syncspawn::attacks
