#pragma once

#include <sys/types.h>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <syncspawn/launcher/exit_status.hpp>

namespace syncspawn {

enum class WhichSide { parent, child };

/// Where in the launch it was.
enum class Stage {
    none,
    prepare,            ///< before the child: descriptors, memory
    start,              ///< creating the child
    step,               ///< a part of a step
    rendezvous,         ///< waiting for the other side
    working_directory,  ///< entering it
    descriptors,        ///< arranging the program's descriptors
    execve,             ///< executing the program
    readiness,          ///< waiting for the program to say that it is ready
};

/// What kind of end it was.
enum class Cause {
    none,
    error,         ///< a call failed: code() says how
    exception,     ///< a part threw: detail() is its what()
    exited,        ///< the child, or the program before it was ready, exited: status()
    killed,        ///< a signal killed it: status()
    aborted,       ///< the program aborted the barrier
    disconnected,  ///< it closed its barrier and lived on
    timed_out,     ///< a deadline passed
    cancelled,     ///< the caller cancelled the launch
};

struct TimelineEvent;

/// Why a launch failed: which side, where, how, and what to do about it. The first cause wins;
/// when it is thrown or returned the child is gone and reaped (but see survivor()), and the parent's
/// parts are undone.
/// A default-constructed one is "no error" and converts to false.
///
///     mount '/proc' in the child: operation not permitted (...)
///     uid map in the child: killed by SIGKILL
class SYNCSPAWN_API SpawnError : public std::exception {
public:
    SpawnError() noexcept;
    SpawnError(const SpawnError&) noexcept;
    SpawnError& operator=(const SpawnError&) noexcept;
    SpawnError(SpawnError&&) noexcept;
    SpawnError& operator=(SpawnError&&) noexcept;
    ~SpawnError() override;

    /// A failure of the caller's own before a launch: `what` could not be done.
    static SpawnError in_preparation(std::string what, std::error_code code);

    explicit operator bool() const noexcept { return cause() != Cause::none; }

    [[nodiscard]] WhichSide side() const noexcept;
    [[nodiscard]] Stage stage() const noexcept;
    [[nodiscard]] Cause cause() const noexcept;
    /// The step, rendezvous or call: "uid map", "ready to exec", "execve '/bin/tru'".
    [[nodiscard]] const std::string& step() const noexcept;
    /// The errno of an `error`, ECANCELED if a part returned one of another category; ETIMEDOUT,
    /// ECANCELED or ECHILD for the other causes.
    [[nodiscard]] std::error_code code() const noexcept;
    /// The same failure with another code, for a caller who has one of another category.
    [[nodiscard]] SpawnError with_code(std::error_code code) const;
    /// The id that the child had until it was reaped; -1 if there was none.
    [[nodiscard]] pid_t child_pid() const noexcept;
    /// How the child ended, for `exited` and `killed`.
    [[nodiscard]] std::optional<ExitStatus> status() const noexcept;
    /// What the failing part said of it, if anything.
    [[nodiscard]] const std::string& detail() const noexcept;
    /// What to do about it, where the errno misleads or there is none. From what the library itself
    /// called, or a part said that it did (Hint); never from the words of a step. May be empty.
    [[nodiscard]] const std::string& hint() const noexcept;
    /// False: the program certainly never ran. True from the moment before execve on.
    [[nodiscard]] bool program_may_have_run() const noexcept;
    /// The child, if it outlived SIGKILL by five seconds (in the freezer of cgroup v1, in an
    /// uninterruptible call, a program of another user), else none. It is still a child of this process:
    /// to be reaped by waitpid(2), or a zombie from its end until that of this process.
    [[nodiscard]] std::optional<pid_t> survivor() const noexcept;
    /// All of it in one line.
    [[nodiscard]] const char* what() const noexcept override;
    /// What each side did until then.
    [[nodiscard]] const std::vector<TimelineEvent>& timeline() const noexcept;

    struct Facts;
    /// For the library: from what it found out.
    explicit SpawnError(Facts facts);

private:
    [[nodiscard]] const Facts& facts() const noexcept;
    std::shared_ptr<const Facts> facts_;
};

}  // namespace syncspawn
