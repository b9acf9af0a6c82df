#pragma once

#include <string>

#include <syncspawn/barrier/visibility.h>

/// syncspawn::ExitStatus: how a process ended.
///
///     #include <cstdio>
///     #include <syncspawn/launcher.hpp>
///
///     int main() {
///         syncspawn::SyncedSpawner spawner({.program = "sh", .arguments = {"-c", "exit 3"}});
///         const syncspawn::ExitStatus status = spawner.spawn().wait();
///         std::puts(status.to_string().c_str());  // exited with code 3
///         return status == syncspawn::ExitStatus::exited(3) ? 0 : 1;
///     }

namespace syncspawn {

/// It exited with a code, or a signal killed it, or nobody can tell any more. A value: compare it, copy
/// it, keep it. Nothing here fails, but to_string() may throw std::bad_alloc.
class SYNCSPAWN_API ExitStatus {
public:
    enum class Kind {
        exited,   ///< it returned from main, or called exit(3) or _exit(2)
        killed,   ///< a signal ended it
        unknown,  ///< somebody else took the status: a waitpid(-1) elsewhere, or SIGCHLD is ignored
    };

    /// The same as unknown().
    constexpr ExitStatus() noexcept = default;
    /// These make one, to compare with.
    static ExitStatus exited(int code) noexcept { return {Kind::exited, code, false}; }
    static ExitStatus killed(int signal, bool core_dumped = false) noexcept {
        return {Kind::killed, signal, core_dumped};
    }
    static ExitStatus unknown() noexcept { return {}; }

    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    /// Whether it exited with code 0.
    [[nodiscard]] bool success() const noexcept { return kind_ == Kind::exited && value_ == 0; }
    /// The exit code, 0 to 255, or -1 if it did not exit.
    [[nodiscard]] int code() const noexcept { return kind_ == Kind::exited ? value_ : -1; }
    /// The signal that killed it, or 0.
    [[nodiscard]] int signal() const noexcept { return kind_ == Kind::killed ? value_ : 0; }
    /// Whether the kernel wrote a core file (core(5)).
    [[nodiscard]] bool core_dumped() const noexcept { return core_dumped_; }
    /// What a shell would put into `$?`: the code, or 128 + the signal. 125 if unknown. Return it from main
    /// to pass on how a child ended.
    [[nodiscard]] int shell_code() const noexcept;
    /// "exited with code 3", "killed by SIGSEGV (core dumped)", "ended; somebody else took its status".
    [[nodiscard]] std::string to_string() const;

    friend bool operator==(const ExitStatus&, const ExitStatus&) = default;

private:
    ExitStatus(Kind kind, int value, bool core_dumped) noexcept
        : kind_(kind), value_(value), core_dumped_(core_dumped) {}

    Kind kind_ = Kind::unknown;
    int value_ = 0;
    bool core_dumped_ = false;
};

/// The name of a signal: "SIGKILL", "SIGRTMIN+1"; "signal 99" if there is none of that number.
[[nodiscard]] SYNCSPAWN_API std::string signal_name(int signal);

}  // namespace syncspawn
