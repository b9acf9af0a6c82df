#pragma once

#include <optional>

#include <syncspawn/launcher.hpp>

namespace syncspawn::tools {

// The program's own terminal beside ours: keys, screen and size pass between them, and ours is raw meanwhile.
class TerminalSession {
public:
    explicit TerminalSession(Pty& pty) noexcept : pty_(pty) {}

    // The program runs. In the background this waits for the foreground, as every program does that sets
    // up the terminal.
    void begin();
    [[nodiscard]] bool has_begun() const noexcept { return relay_.has_value(); }
    // Nobody but the program has its terminal open any more.
    void launch_is_over() { pty_.close_terminal(); }

    // -1: nothing to wait for.
    [[nodiscard]] int descriptor() const;
    void advance();
    // Our terminal has another size.
    void resize();

    // Around a stop of this process, and whatever it writes to the terminal itself.
    void leave() noexcept;
    void come_back();

    // The program has ended: what it has written until now is still shown.
    void finish();
    // There is nothing left to show.
    [[nodiscard]] bool is_over() const;
    // Nobody takes what is shown.
    [[nodiscard]] bool is_lost() const;
    void hang_up();

private:
    Pty& pty_;
    std::optional<RawTerminal> raw_{};
    std::optional<TerminalRelay> relay_{};
};

// A terminal for the program, as large as ours and with its settings, where there is one.
[[nodiscard]] PtyOptions options_like_our_terminal();

}  // namespace syncspawn::tools
