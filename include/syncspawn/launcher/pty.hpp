#pragma once

#include <sys/types.h>

#include <concepts>
#include <string>
#include <utility>

#include <syncspawn/barrier/visibility.h>
#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/spawn_options.hpp>
#include <syncspawn/launcher/step.hpp>
#include <syncspawn/launcher/synced_spawner.hpp>

/// syncspawn::Pty: a terminal of its own for a program.
///
///     #include <cstdio>
///     #include <syncspawn/launcher.hpp>
///     #include <unistd.h>
///
///     int main() {
///         syncspawn::Pty pty({.size = {.rows = 50, .columns = 132}});
///         syncspawn::SyncedSpawner spawner({.program = "stty", .arguments = {"size"}});
///         pty.add_to(spawner);
///         syncspawn::Process program = spawner.spawn();
///         pty.close_terminal();  // the program has it
///
///         char text[80];
///         for (ssize_t size; (size = read(pty.master(), text, sizeof text)) > 0;) {
///             fwrite(text, 1, static_cast<size_t>(size), stdout);  // 50 132
///         }
///         return program.wait().shell_code();
///     }
///
/// Model. A pseudo-terminal (pty(7)) has two ends. The *terminal* is the program's: its standard streams, its
/// /dev/tty, with echo, line editing, and ^C as SIGINT. The *master* is yours: what you write there is typed, and
/// what you read there is on the screen.
///
///  - A read of the master fails with EIO once nobody has the terminal open any more. What was written before
///    comes first. You are one of those who have it open, until close_terminal().
///  - Closing the master hangs up: the program gets SIGHUP, reads the end of its input, and its writes fail with EIO.
///  - ^C, ^Z and ^D are the bytes 3, 26 and 4, written to the master, unless the program has made its terminal raw.
///
/// To pass all of it on between the program and the person at your own terminal:
/// <syncspawn/launcher/raw_terminal.hpp>, <syncspawn/launcher/terminal_relay.hpp>.

namespace syncspawn {

/// In characters.
struct TerminalSize {
    unsigned short rows = 24;
    unsigned short columns = 80;

    friend bool operator==(const TerminalSize&, const TerminalSize&) = default;
};

/// The size of any terminal. Throws std::system_error: ENOTTY if it is none.
[[nodiscard]] SYNCSPAWN_API TerminalSize terminal_size(int terminal);
/// Changes it. What runs in the foreground there gets SIGWINCH, if it is another size.
SYNCSPAWN_API void set_terminal_size(int terminal, TerminalSize size);

/// What the terminal begins with.
struct PtyOptions {
    TerminalSize size{};
    /// Settings (termios(3)) and size of this terminal, yours maybe; -1: the usual settings, and `size`. Ask before
    /// you make that one raw.
    int like = -1;
    /// The master is O_NONBLOCK: a read of nothing, and a write for which there is no room, fail with EAGAIN.
    bool is_nonblocking = false;
};

/// Move-only. A moved-from Pty has neither end. What asks for an end that is closed or taken throws std::logic_error.
class SYNCSPAWN_API Pty {
public:
    /// Throws std::system_error: ENOSPC if there are too many (/proc/sys/kernel/pty/max), ENOTTY if `like` is none.
    explicit Pty(const PtyOptions& options = {});

    /// Yours: to read and write. Borrowed; -1 if it was taken.
    [[nodiscard]] int master() const noexcept { return master_.get(); }
    /// The program's, which is open here, too, until close_terminal(). Borrowed; -1 after that.
    [[nodiscard]] int terminal() const noexcept { return terminal_.get(); }
    /// Moves the master out; you own it.
    [[nodiscard]] UniqueFd take_master();
    /// Call it when the launch is over, or the master never reads EIO.
    void close_terminal() noexcept { terminal_.reset(); }

    /// "/dev/pts/3": the terminal's name where the /dev/pts of this process is the one that it was made in.
    [[nodiscard]] std::string name() const;
    [[nodiscard]] TerminalSize size() const;
    /// For your handler of SIGWINCH: `pty.resize(terminal_size(STDOUT_FILENO))`, but not within it.
    void resize(TerminalSize size);
    /// The terminal's file belongs to them, with mode 0620, so that the program may open it by its name, too. Needed
    /// only if the program runs as another user than you. Throws std::system_error.
    void give_to(uid_t user, gid_t group);

    /// Adds the terminal to a launch: its options, and its step. The Pty must outlive the launch; it is good for one.
    /// With a Sandbox, the order does not matter; bind it there, too (sandbox::Bindings::terminal), so that it has a
    /// name inside.
    void add_to(SyncedSpawner& spawner) const;
    /// The same for a launcher that has `options` and `step()`, as for_boost::SyncedLauncher.
    template <class Launcher>
    requires requires(Launcher& launcher, Step step) {
        { launcher.options } -> std::same_as<SpawnOptions&>;
        launcher.step(std::move(step));
    }
    void add_to(Launcher& launcher) const {
        launcher.options = options_for(std::move(launcher.options));
        launcher.step(step());
    }
    /// These options with the terminal for those streams that are left at Stdio::inherit(). KillScope::process_group
    /// becomes KillScope::session, for the program leads both.
    [[nodiscard]] SpawnOptions options_for(SpawnOptions options) const;
    /// steps::controlling_terminal() with this one: it controls the program's new session.
    [[nodiscard]] Step step() const;

private:
    UniqueFd master_;
    UniqueFd terminal_;
};

}  // namespace syncspawn
