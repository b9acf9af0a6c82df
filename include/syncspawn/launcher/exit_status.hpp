#pragma once

#include <string>

#include <syncspawn/barrier/visibility.h>

namespace syncspawn {

/// How a process ended: it exited with a code, or a signal killed it. `unknown` when somebody else
/// took the status away: SIGCHLD is ignored in the parent, or a foreign waitpid(-1) was faster.
/// A value: compare it, copy it, keep it.
class SYNCSPAWN_API ExitStatus {
public:
    enum class Kind { exited, killed, unknown };

    /// Unknown.
    constexpr ExitStatus() noexcept = default;
    static ExitStatus exited(int code) noexcept { return {Kind::exited, code, false}; }
    static ExitStatus killed(int signal, bool core_dumped = false) noexcept {
        return {Kind::killed, signal, core_dumped};
    }
    static ExitStatus unknown() noexcept { return {}; }

    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    [[nodiscard]] bool success() const noexcept { return kind_ == Kind::exited && value_ == 0; }
    /// The exit code, or -1 if it did not exit.
    [[nodiscard]] int code() const noexcept { return kind_ == Kind::exited ? value_ : -1; }
    /// The signal that killed it, or 0.
    [[nodiscard]] int signal() const noexcept { return kind_ == Kind::killed ? value_ : 0; }
    [[nodiscard]] bool core_dumped() const noexcept { return core_dumped_; }
    /// What a shell would put into `$?`: the code, 128 + the signal, or 125 if unknown.
    [[nodiscard]] int shell_code() const noexcept;
    /// "exited with code 3", "killed by SIGSEGV (core dumped)", "ended; somebody else took its
    /// status".
    [[nodiscard]] std::string to_string() const;

    friend bool operator==(const ExitStatus&, const ExitStatus&) = default;

private:
    ExitStatus(Kind kind, int value, bool core_dumped) noexcept
        : kind_(kind), value_(value), core_dumped_(core_dumped) {}

    Kind kind_ = Kind::unknown;
    int value_ = 0;
    bool core_dumped_ = false;
};

/// "SIGKILL", "SIGRTMIN+1", "signal 99".
[[nodiscard]] SYNCSPAWN_API std::string signal_name(int signal);

}  // namespace syncspawn
