#pragma once

#include <sys/types.h>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <syncspawn/launcher/exit_status.hpp>
#include <syncspawn/launcher/side.hpp>

/// syncspawn::SpawnError: why a launch failed: which side, where, how, and what to do about it.
///
///     #include <cstdio>
///     #include <syncspawn/launcher.hpp>
///     #include <system_error>
///
///     int main() {
///         syncspawn::SyncedSpawner spawner({.program = "/no/such/program"});
///         try {
///             return spawner.spawn().wait().shell_code();
///         } catch (const syncspawn::SpawnError& error) {
///             std::puts(error.what());
///             return error.code() == std::errc::no_such_file_or_directory ? 0 : 1;
///         }
///     }
///
/// It prints the first of these; the others show what else you may read:
///
///     execve '/no/such/program' in the child: no such file or directory
///     uid map in the parent: open '/proc/4711/uid_map': permission denied
///     the child was killed by SIGSEGV in step 'uid map'
///     the program exited with code 3 before it was ready; its last words: "cannot bind: port 80 is taken"

namespace syncspawn {

/// How far the launch had come.
enum class Stage {
    none,               ///< no error
    prepare,            ///< before the child existed: descriptors, memory
    start,              ///< creating the child
    step,               ///< a part of a step
    rendezvous,         ///< waiting for the other side
    working_directory,  ///< entering it
    descriptors,        ///< arranging the program's descriptors
    execve,             ///< executing the program
    readiness,          ///< waiting for the program to say that it is ready
};

/// What went wrong. "It" is the child, or the program before it was ready.
enum class Cause {
    none,          ///< no error
    error,         ///< a call failed: code() says how
    exception,     ///< a part threw: detail() is its what()
    exited,        ///< it exited: status() says with which code
    killed,        ///< a signal killed it: status() says which
    aborted,       ///< the program aborted the barrier
    disconnected,  ///< the program closed its barrier and lived on
    timed_out,     ///< a deadline passed
    cancelled,     ///< you cancelled the launch
};

struct TimelineEvent;

/// When you get one, all is cleaned up: the child is gone and reaped (but see survivor()), and what the
/// parent's parts did is undone. If one failure leads to another, it tells of the first.
///
/// spawn() throws it, and spawn(error) stores it. A value, cheap to copy, and never changed once made, so
/// threads may share it. A default-constructed one means "no error" and converts to false.
class SYNCSPAWN_API SpawnError : public std::exception {
public:
    SpawnError() noexcept;
    SpawnError(const SpawnError&) noexcept;
    SpawnError& operator=(const SpawnError&) noexcept;
    SpawnError(SpawnError&&) noexcept;
    SpawnError& operator=(SpawnError&&) noexcept;
    ~SpawnError() override;

    /// For code around the launcher: `what` could not be done before the launch, and `code` says why.
    static SpawnError in_preparation(std::string what, std::error_code code);

    explicit operator bool() const noexcept { return cause() != Cause::none; }

    /// The side on which it happened.
    [[nodiscard]] WhichSide side() const noexcept;
    [[nodiscard]] Stage stage() const noexcept;
    [[nodiscard]] Cause cause() const noexcept;
    /// The step, rendezvous or call that failed: "uid map", "ready to exec", "execve '/bin/tru'".
    [[nodiscard]] const std::string& step() const noexcept;
    /// For Cause::error what the failed call or part gave: an errno, or an error of another category. A
    /// child's part may return one of any category that is a static object of this program; else this is
    /// ECANCELED, and name and number are in detail(). For Cause::exception that of a std::system_error. For all
    /// else ETIMEDOUT, ECANCELED or ECHILD.
    [[nodiscard]] std::error_code code() const noexcept;
    /// The same failure with another code, for a caller who knows a better one.
    [[nodiscard]] SpawnError with_code(std::error_code code) const;
    /// The child's pid, for your log: it is reaped, so the number may belong to another process by now. -1 if
    /// there was no child.
    [[nodiscard]] pid_t child_pid() const noexcept;
    /// How the child ended, for `exited` and `killed`.
    [[nodiscard]] std::optional<ExitStatus> status() const noexcept;
    /// What the failing part said: the call it named in fail(), or its exception's what(). May be empty.
    [[nodiscard]] const std::string& detail() const noexcept;
    /// What to do about it, where the errno alone would mislead. The library bases it on calls of its own,
    /// and on what a part declared with a Hint; it never guesses from the name of a step. May be empty.
    [[nodiscard]] const std::string& hint() const noexcept;
    /// False: the program certainly did not run, so you may safely try again. True: the child was at its
    /// execve, or beyond.
    [[nodiscard]] bool program_may_have_run() const noexcept;
    /// The pid of a child that could not be killed. That is rare: it sits in the freezer of cgroup v1 or in a
    /// call that nothing interrupts, or the program runs as another user. After five seconds the library
    /// gives up on it. It is still your child: reap it with waitpid(2) and `__WALL`, or it stays a zombie once it has
    /// ended.
    [[nodiscard]] std::optional<pid_t> survivor() const noexcept;
    /// The end of what a program wrote to its standard error before its launch failed, 4 KiB at most, as it
    /// was written. Only if that was a Stdio::pipe(), or went to the same one as the output, and nobody had
    /// taken your end of it. Else empty.
    [[nodiscard]] const std::string& last_words() const noexcept;
    /// The same failure with other last words, for a caller who has read the stream himself. Of a longer text
    /// the end is kept.
    [[nodiscard]] SpawnError with_last_words(std::string_view words) const;
    /// All of that in one line, in lower case; of the last words up to three lines, without what a terminal
    /// might take for a command. Valid as long as any copy of this error.
    [[nodiscard]] const char* what() const noexcept override;
    /// What each side did until then: see <syncspawn/launcher/timeline.hpp>.
    [[nodiscard]] const std::vector<TimelineEvent>& timeline() const noexcept;

    struct Facts;
    /// For the library: from what it found out.
    explicit SpawnError(Facts facts);

private:
    [[nodiscard]] const Facts& facts() const noexcept;
    std::shared_ptr<const Facts> facts_;
};

}  // namespace syncspawn
