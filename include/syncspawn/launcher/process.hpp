#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <system_error>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/exit_status.hpp>
#include <syncspawn/launcher/spawn_options.hpp>
#include <syncspawn/launcher/timeline.hpp>

namespace syncspawn {

/// A running program.
///
///     syncspawn::Process server = syncspawn::SyncedSpawner({.program = "server"}).spawn();
///     ...
///     const syncspawn::ExitStatus status = server.terminate(std::chrono::seconds(5));
///     std::cerr << "the server " << status.to_string() << '\n';
///
/// Owns the pid and pidfd, and the parent's side of the barrier if that was handed over. Move-only; for
/// one thread at a time. The destructor does what `ending.stop` says; by default it kills and reaps, so that no program outlives its owner unnoticed.
///
/// After fork(2) the copy of your process has a copy of this object, but the program is no child of that
/// process. There the destructor just closes descriptors, and whatever waits, signals or releases throws
/// std::logic_error.
///
/// A program that changes its user (sudo, su) may get out of your reach: a signal is then refused with
/// EPERM. See signal() and stop(). try_wait() tells whether it still runs.
class SYNCSPAWN_API Process {
public:
    /// No process: every operation but the destructor, assignment and the bool is misuse
    /// (std::logic_error).
    Process() noexcept;
    Process(Process&&) noexcept;
    Process& operator=(Process&&) noexcept;
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process();
    explicit operator bool() const noexcept { return state_ != nullptr; }

    [[nodiscard]] pid_t pid() const;
    /// Readable once the process has ended (pidfd_open(2)). Borrowed; -1 before Linux 5.3.
    [[nodiscard]] int pidfd() const;

    /// Waits for the end and reaps. Again: the same status.
    ExitStatus wait();
    /// The status if it has ended, without waiting.
    std::optional<ExitStatus> try_wait();
    /// The status if it ends before the deadline.
    std::optional<ExitStatus> wait_until(Deadline deadline);

    /// Sends a signal to the process. Nothing happens if it has ended. Throws std::system_error: EPERM if
    /// this process may not signal the program any more, EINVAL if there is no such signal.
    void signal(int signal);
    /// The same without throwing std::system_error: sets `error` or clears it.
    void signal(int signal, std::error_code& error);
    /// Carries out what the list says, until the program has ended, and reaps: see StopActions. The status
    /// if it has ended. Throws std::system_error if the last signal was refused and it still runs, which
    /// is not waited for, and try_wait() still works; std::invalid_argument for a signal that does not
    /// exist and a time that is negative.
    std::optional<ExitStatus> stop(const StopActions& actions);
    /// stop({Stop::terminate(grace), Stop::kill()}).
    ExitStatus terminate(std::chrono::nanoseconds grace);
    /// stop({Stop::kill()}).
    ExitStatus kill();
    /// Lets the program run on: the destructor does nothing. It stays a child of this process, which should
    /// reap it (waitpid(2)) or it is a zombie from its end until that of this process.
    pid_t release();
    /// The same; the pidfd is the caller's from now on.
    pid_t release(UniqueFd& pidfd);

    /// The parent's side of the barrier, which watches the process as a second witness. Throws
    /// std::logic_error if it was not handed over, or was moved out.
    [[nodiscard]] Barrier& barrier();
    /// Moves it out. It watches pidfd() still, and must not outlive that: see Barrier::watch_peer().
    [[nodiscard]] Barrier take_barrier();

    /// The parent's ends of Stdio::pipe(). Borrowed; -1 if there is none, or it was moved out.
    [[nodiscard]] int standard_input() const;
    [[nodiscard]] int standard_output() const;
    [[nodiscard]] int standard_error() const;
    /// Move them out; to let go of the result closes the pipe. std::logic_error if there is none.
    UniqueFd take_standard_input();
    UniqueFd take_standard_output();
    UniqueFd take_standard_error();

    /// How it was started; never `automatic`.
    [[nodiscard]] StartMethod start_method() const;
    /// What each side did until the program ran.
    [[nodiscard]] Timeline timeline() const;

    struct State;
    /// For the library.
    explicit Process(std::unique_ptr<State> state) noexcept;

private:
    State& state() const;
    State& own_state() const;
    std::unique_ptr<State> state_;
};

}  // namespace syncspawn
