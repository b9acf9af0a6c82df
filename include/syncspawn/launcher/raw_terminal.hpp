#pragma once

#include <sys/types.h>
#include <termios.h>

#include <atomic>

#include <syncspawn/barrier/visibility.h>

/// syncspawn::RawTerminal: your own terminal in raw mode, and back.
///
///     #include <csignal>
///     #include <cstdio>
///     #include <syncspawn/launcher.hpp>
///     #include <unistd.h>
///
///     syncspawn::RawTerminal* raw = nullptr;
///
///     void on_terminate(int signal) {
///         raw->restore();
///         std::signal(signal, SIG_DFL);
///         std::raise(signal);
///     }
///
///     int main() {
///         if (isatty(STDIN_FILENO) == 0) {
///             std::puts("there is no terminal");
///             return 0;
///         }
///         static syncspawn::RawTerminal terminal(STDIN_FILENO);  // static: exit(3) restores it, too
///         raw = &terminal;
///         std::signal(SIGTERM, on_terminate);
///         char key = 0;
///         return read(STDIN_FILENO, &key, 1) == 1 ? 0 : 1;  // any key, at once; ^C is a byte
///     }
///
/// In raw mode (cfmakeraw in termios(3)) every key is a byte that you read at once. The terminal echoes nothing,
/// edits nothing, and makes no signals: that is left to the terminal of the program that you pass the bytes to.
///
/// The library installs no signal handlers. These are for yours:
///
///     what happens                      what to do
///     the object's end                  nothing: the destructor restores
///     exit(3)                           nothing, for a static object: automatic ones are not destroyed
///     SIGTERM, SIGHUP, SIGINT ...       in the handler: restore(), and die of the signal, as above
///     SIGTSTP                           in the handler: restore(), raise(SIGSTOP), and behind it resume()
///     SIGCONT                           in the handler: resume()
///     _exit(2), SIGKILL                 nobody can do anything; most shells put their terminal right

namespace syncspawn {

/// Neither copied nor moved: a signal handler knows where it is. In the copy that fork(2) makes of a process it
/// does nothing.
class SYNCSPAWN_API RawTerminal {
public:
    /// Makes it raw; in the background that waits for the foreground (SIGTTOU). The descriptor is borrowed. Throws std::system_error: ENOTTY if it is no terminal.
    explicit RawTerminal(int terminal);
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;
    /// restore().
    ~RawTerminal();

    /// Puts back exactly the settings that the constructor has found. The second time it does nothing. In the
    /// background it does nothing either: the terminal is the shell's there.
    ///
    /// It waits for nothing, and what was typed but not read yet is kept. Async-signal-safe, errno stays.
    void restore() noexcept;
    /// Raw again. In the background it does nothing. Async-signal-safe, errno stays.
    void resume() noexcept;

    [[nodiscard]] bool is_raw() const noexcept { return is_raw_; }
    /// The settings that the constructor has found: for a Pty that begins with them.
    [[nodiscard]] const termios& settings() const noexcept { return found_; }

private:
    [[nodiscard]] bool is_in_foreground() const noexcept;
    bool change_to(bool raw) noexcept;

    int terminal_;
    pid_t owner_;
    termios found_{};
    termios raw_{};
    std::atomic<bool> is_raw_{false};
};

}  // namespace syncspawn
