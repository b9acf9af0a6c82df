#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <syncspawn/barrier/barrier.hpp>

/// The barrier beyond execve. A program that runs both by hand and from a launcher which waits until it
/// is ready:
///
///     #include <cstdio>
///
///     #include <syncspawn/barrier/hand_over.hpp>
///
///     int main() {
///         syncspawn::AttachError error;
///         syncspawn::Barrier barrier = syncspawn::attach(error);
///         if (error && error.problem() != syncspawn::AttachProblem::not_handed_over) {
///             std::fprintf(stderr, "%s\n", error.what());
///             return 1;
///         }
///         // ... open the socket, load the configuration ...
///         if (barrier.is_open() && barrier.place_and_sync() != syncspawn::Outcome::reached) return 1;
///         // ... serve ...
///         return 0;
///     }
///
/// Model. The program finds its side of the barrier in its environment. A launcher puts it there by itself;
/// a wrapper that executes the next program passes it on with export_barrier().

namespace syncspawn {

/// Why there is no barrier to attach to.
enum class AttachProblem {
    none,
    not_handed_over,  ///< none of the variables is set: started without a barrier
    missing,          ///< some of the variables are set, this one is not
    malformed,        ///< not the decimal number(s) it must be, or out of range
    other_version,    ///< written by a newer or older protocol
    other_process,    ///< meant for another process, which merely passed its environment on
    not_open,         ///< names a descriptor that is not open
    wrong_kind,       ///< names something that is not an eventfd, or not a pipe
    wrong_object,     ///< names an eventfd or pipe, but another one
    wrong_access,     ///< names the other end of the pipe
    not_distinct,     ///< two variables name the same descriptor
};

/// Names the variable and says what is wrong with it.
class SYNCSPAWN_API AttachError : public std::runtime_error {
public:
    AttachError() noexcept : std::runtime_error("no error") {}
    AttachError(AttachProblem problem, std::string variable, const std::string& message)
        : std::runtime_error(message), problem_(problem), variable_(std::move(variable)) {}

    [[nodiscard]] AttachProblem problem() const noexcept { return problem_; }
    /// Never empty after a failure.
    [[nodiscard]] const std::string& variable() const noexcept { return variable_; }
    explicit operator bool() const noexcept { return problem_ != AttachProblem::none; }

private:
    AttachProblem problem_ = AttachProblem::none;
    std::string variable_;
};

/// Which process the variables may have been written for.
enum class AttachFor {
    this_process = SYNCSPAWN_THIS_PROCESS,  ///< the default: a program attaches for itself
    /// Or its parent or an ancestor: a command of a script, a program below timeout(1), sh -c, su -c.
    calling_script = SYNCSPAWN_CALLING_SCRIPT,
};

/// Takes over the barrier that this program was executed with. Checks everything strictly, makes
/// the descriptors close-on-exec again, and removes the variables whatever the result. Call it
/// early: like unsetenv(3) it must not run while another thread uses the environment.
[[nodiscard]] SYNCSPAWN_API Barrier attach(AttachFor whom = AttachFor::this_process);
/// The same without exceptions: returns an empty barrier and sets `error`.
[[nodiscard]] SYNCSPAWN_API Barrier attach(AttachError& error,
                                           AttachFor whom = AttachFor::this_process);

/// The four variables, each as "NAME=value": ready for an envp array or for putenv(3).
using BarrierEnvironment = syncspawn_barrier_environment;

/// Whether an entry of an environment ("NAME=value") is one of these: a barrier that is handed to one
/// process must not reach another.
[[nodiscard]] inline bool is_barrier_variable(std::string_view entry) noexcept {
    return entry.starts_with("SYNCSPAWN_BARRIER_");
}

/// Prepares execve by *this* process: moves the descriptors to numbers of at least `lowest_fd` (and
/// at least 10), lets them survive execve, writes the variables. Async-signal-safe. The barrier
/// stays usable; after a failed execve destroy it or export it again.
SYNCSPAWN_API Outcome export_barrier(Barrier& barrier, BarrierEnvironment& environment,
                                     int lowest_fd = 10) noexcept;

}  // namespace syncspawn
