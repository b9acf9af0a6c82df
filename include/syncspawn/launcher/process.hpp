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
/// one thread at a time. The destructor does what `ending.on_destruction` says; by default it kills
/// and reaps, so that no program outlives its owner unnoticed.
///
/// After fork(2) the copy of your process has a copy of this object, but the program is no child of that
/// process. There the destructor just closes descriptors, and whatever waits, signals or releases throws
/// std::logic_error.
///
/// A program that changes its user (sudo, su) may get out of your reach: a signal is then refused with
/// EPERM. See signal(), terminate(), kill() and OnDestruction. try_wait() tells whether it still runs.
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
    /// SIGTERM, and SIGCONT for one that is stopped; if it still runs after `grace`, SIGKILL. All go to
    /// the kill scope. Reaps. Throws std::system_error as signal() does, without waiting for the end, if
    /// the program may not be killed: it still runs then, and try_wait() still works. If it is the first
    /// process of a pid namespace, the kernel drops a SIGTERM that it neither handles nor blocks; where
    /// /proc tells so, SIGKILL follows at once.
    ExitStatus terminate(std::chrono::nanoseconds grace);
    /// SIGKILL to the kill scope, and reap. Throws as terminate() does.
    ExitStatus kill();
    /// Lets it run on: the destructor does nothing. It stays a child of this process, which should
    /// reap it (waitpid(2)) or it is a zombie from its end until that of this process.
    pid_t release();
    /// The same; the pidfd is the caller's from now on.
    pid_t release(UniqueFd& pidfd);

    /// The parent's side of the barrier, which watches the process as a second witness. Throws
    /// std::logic_error if it was not handed over, or was moved away.
    [[nodiscard]] Barrier& barrier();

    /// The parent's ends of Stdio::pipe(); empty if there is none. Move them out at will.
    [[nodiscard]] UniqueFd& standard_input();
    [[nodiscard]] UniqueFd& standard_output();
    [[nodiscard]] UniqueFd& standard_error();

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
