#include <syncspawn/launcher/pty.hpp>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <stdexcept>
#include <system_error>

#include <syncspawn/launcher/steps/session.hpp>

#include "barrier/linux/owned_descriptor.hpp"

namespace syncspawn {
namespace {

constexpr int for_all = O_RDWR | O_NOCTTY | O_CLOEXEC;

[[noreturn]] void refuse(const char* call) {
    throw std::system_error(errno, std::generic_category(), call);
}

// Some containers have a /dev/pts with a ptmx in it, and nothing at /dev/ptmx.
UniqueFd open_master() {
    const int master = open("/dev/ptmx", for_all);
    const bool may_be_elsewhere = master < 0 && (errno == ENOENT || errno == EACCES);
    return detail::owned(may_be_elsewhere ? open("/dev/pts/ptmx", for_all) : master,
                         "open '/dev/ptmx'");
}

std::string name_of(int master) {
    char name[PATH_MAX];
    const int error = ptsname_r(master, name, sizeof name);
    if (error != 0) {
        throw std::system_error(error, std::generic_category(), "ptsname_r");
    }
    return name;
}

// Before Linux 4.13 there is only the path.
UniqueFd open_terminal(int master) {
    const int terminal = ioctl(master, TIOCGPTPEER, for_all);
    const bool is_unknown = terminal < 0 && (errno == EINVAL || errno == ENOTTY);
    return detail::owned(is_unknown ? open(name_of(master).c_str(), for_all) : terminal,
                         "ioctl(TIOCGPTPEER)");
}

void copy_settings(int from, int to) {
    termios settings{};
    if (tcgetattr(from, &settings) < 0) {
        refuse("tcgetattr");
    }
    if (tcsetattr(to, TCSANOW, &settings) < 0) {
        refuse("tcsetattr");
    }
}

void require(const UniqueFd& end, const char* which) {
    if (!end) {
        throw std::logic_error(std::string("Pty: the ") + which + " is closed, or was moved out");
    }
}

}  // namespace

TerminalSize terminal_size(int terminal) {
    winsize size{};
    if (ioctl(terminal, TIOCGWINSZ, &size) < 0) {
        refuse("ioctl(TIOCGWINSZ)");
    }
    return {.rows = size.ws_row, .columns = size.ws_col};
}

void set_terminal_size(int terminal, TerminalSize size) {
    winsize wanted{};
    wanted.ws_row = size.rows;
    wanted.ws_col = size.columns;
    if (ioctl(terminal, TIOCSWINSZ, &wanted) < 0) {
        refuse("ioctl(TIOCSWINSZ)");
    }
}

Pty::Pty(const PtyOptions& options) : master_(open_master()) {
    constexpr int unlocked = 0;
    if (ioctl(master_.get(), TIOCSPTLCK, &unlocked) < 0) {
        refuse("ioctl(TIOCSPTLCK)");
    }
    terminal_ = open_terminal(master_.get());
    if (options.like >= 0) {
        copy_settings(options.like, terminal_.get());
    }
    resize(options.like >= 0 ? terminal_size(options.like) : options.size);
    // A flag of the open file description, and nobody else has that.
    if (options.is_nonblocking && fcntl(master_.get(), F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
        refuse("fcntl(O_NONBLOCK)");
    }
}

UniqueFd Pty::take_master() {
    require(master_, "master");
    return std::move(master_);
}

std::string Pty::name() const {
    require(master_, "master");
    return name_of(master_.get());
}

TerminalSize Pty::size() const {
    require(master_, "master");
    return terminal_size(master_.get());
}

void Pty::resize(TerminalSize size) {
    require(master_, "master");
    set_terminal_size(master_.get(), size);
}

void Pty::give_to(uid_t user, gid_t group) {
    require(terminal_, "terminal");
    constexpr mode_t as_login_does = 0620;
    if (fchown(terminal_.get(), user, group) < 0) {
        refuse("fchown");
    }
    if (fchmod(terminal_.get(), as_login_does) < 0) {
        refuse("fchmod");
    }
}

void Pty::add_to(SyncedSpawner& spawner) const {
    SyncedSpawner changed = spawner.with(options_for(spawner.options()));
    changed.step(step());
    spawner = std::move(changed);
}

SpawnOptions Pty::options_for(SpawnOptions options) const {
    require(terminal_, "terminal");
    for (Stdio* const stream :
         {&options.streams.input, &options.streams.output, &options.streams.error}) {
        if (stream->kind() == Stdio::Kind::inherit) {
            *stream = Stdio::descriptor(terminal_.get());
        }
    }
    if (options.ending.scope == KillScope::process_group) {
        options.ending.scope = KillScope::session;
    }
    return options;
}

Step Pty::step() const {
    require(terminal_, "terminal");
    return steps::controlling_terminal(terminal_.get());
}

}  // namespace syncspawn
