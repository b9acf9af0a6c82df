#pragma once

#include <memory>

#include <syncspawn/barrier/visibility.h>

/// syncspawn::TerminalRelay: passes on what is typed and what is shown, between your terminal and the program's.
///
///     #include <poll.h>
///     #include <optional>
///     #include <syncspawn/launcher.hpp>
///     #include <unistd.h>
///
///     int main() {
///         const bool is_terminal = isatty(STDIN_FILENO) == 1;
///         syncspawn::Pty pty({.like = is_terminal ? STDIN_FILENO : -1});
///         syncspawn::SyncedSpawner spawner({.program = "echo", .arguments = {"hello"}});
///         pty.add_to(spawner);
///         syncspawn::Process program = spawner.spawn();
///         pty.close_terminal();
///
///         std::optional<syncspawn::RawTerminal> raw;  // restored at the end of main
///         if (is_terminal) {
///             raw.emplace(STDIN_FILENO);
///         }
///         syncspawn::TerminalRelay relay(STDIN_FILENO, STDOUT_FILENO, pty.master());
///         while (!relay.advance()) {
///             pollfd loop[]{{relay.descriptor(), POLLIN, 0}, {program.pidfd(), POLLIN, 0}};
///             poll(loop, 2, -1);
///             if (program.try_wait()) {
///                 relay.finish();  // whatever it has left running
///             }
///         }
///         return program.wait().shell_code();
///     }
///
/// It has the shape of a Launch and of a Run. What your terminal's new size is, it does not ask: see Pty::resize().

namespace syncspawn {

/// Why a relay is over.
enum class RelayEnd {
    none,             ///< it is not
    terminal_closed,  ///< nobody has the program's terminal open any more
    finished,         ///< finish() was called
    output_lost,  ///< nobody takes the output any more: your terminal was hung up, or a pipe has no reader
};

/// Move-only. Use one object in one thread at a time. A moved-from relay is empty: you may destroy it, assign to it
/// or test it; anything else throws std::logic_error.
class SYNCSPAWN_API TerminalRelay {
public:
    /// From `input` to `master`, and from there to `output`. These need not be terminals. All are borrowed until the
    /// relay is over or destroyed. `master` becomes O_NONBLOCK; the others are left as they are, since your shell has them,
    /// too. (Where a terminal or pipe cannot be opened once more, or is a socket, a write may block.) Throws std::system_error.
    ///
    /// At the end of the input, the relay types ^D (or whatever the program's terminal has for it), so that
    /// the program reads an end, too.
    TerminalRelay(int input, int output, int master);
    TerminalRelay(TerminalRelay&&) noexcept;
    TerminalRelay& operator=(TerminalRelay&&) noexcept;
    TerminalRelay(const TerminalRelay&) = delete;
    TerminalRelay& operator=(const TerminalRelay&) = delete;
    ~TerminalRelay();
    explicit operator bool() const noexcept { return relay_ != nullptr; }

    /// Goes on as far as it can without waiting. True once the relay is over.
    bool advance();
    /// Readable (poll(2)) when advance() has something to do. Borrowed; the same until the relay is over, then -1.
    [[nodiscard]] int descriptor() const;
    /// The program has ended. What it has written until now is passed on by the next calls of advance(), and then the
    /// relay is over, even if another process still has the terminal open. Nothing is read from `input` any more.
    void finish();
    [[nodiscard]] RelayEnd end() const;

    class Relay;

private:
    [[nodiscard]] Relay& relay() const;
    std::unique_ptr<Relay> relay_;
};

}  // namespace syncspawn
