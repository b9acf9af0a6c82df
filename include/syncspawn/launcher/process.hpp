#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/exit_status.hpp>
#include <syncspawn/launcher/resource_usage.hpp>
#include <syncspawn/launcher/spawn_options.hpp>
#include <syncspawn/launcher/timeline.hpp>

/// syncspawn::Process: a program that runs. Talk to it, wait for it, end it.
///
///     #include <stdio.h>
///     #include <syncspawn/launcher.hpp>
///     #include <unistd.h>
///
///     int main() {
///         const syncspawn::SyncedSpawner spawner(
///             {.program = "tr",
///              .arguments = {"a-z", "A-Z"},
///              .streams = {.input = syncspawn::Stdio::pipe(), .output = syncspawn::Stdio::pipe()}});
///         syncspawn::Process child = spawner.spawn();
///
///         dprintf(child.standard_input(), "hello\n");
///         child.take_standard_input().reset();  // closes the pipe: the program reads the end of its input
///         char answer[80] = {};
///         const bool answered = read(child.standard_output(), answer, sizeof answer - 1) > 0;
///         fputs(answer, stdout);  // HELLO
///
///         return answered ? child.wait().shell_code() : 1;
///     }
///
/// Model. A Process owns one child of yours: its pid, its pidfd, your ends of its pipes, and your side of
/// the barrier if that was handed over. One that still runs when its Process is destroyed is killed and
/// reaped, so none is forgotten; `ending.stop` says otherwise. To end it earlier:
///
///     const syncspawn::ExitStatus status = child.terminate(5s);  // SIGTERM, and after five seconds SIGKILL
///
/// Whatever reaps may be called again and then gives the same status. The first time, it also runs what the
/// steps of the launch do after the end (Step::after_end).
///
/// With FirstProcess::reaper your child is the reaper, and the program is below it. pid() and pidfd() are the
/// reaper's, which ends when the program has ended, and the whole namespace with it. Status and usage are the
/// program's. Signals go through the reaper: to the program, or from stop() to the group if that is
/// `ending.scope`. SIGKILL ends all of them.

namespace syncspawn {

namespace detail {
class ChildHandle;
}

/// Move-only. Use one object in one thread at a time. No member may be called in a signal handler.
///
/// A default-constructed or moved-from Process is empty. You may destroy it, assign to it or test it;
/// anything else throws std::logic_error.
///
/// If you fork(2) yourself, the copy of a Process in the new process is not that program's parent. Its
/// destructor just closes descriptors there, and whatever waits, signals or releases throws std::logic_error.
///
/// A program that changes its user (sudo, su) may refuse your signals with EPERM: see signal() and stop().
/// try_wait() still tells whether it runs.
class SYNCSPAWN_API Process {
public:
    /// An empty one.
    Process() noexcept;
    Process(Process&&) noexcept;
    Process& operator=(Process&&) noexcept;
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process();
    /// False if it is empty. A program that has ended still counts.
    explicit operator bool() const noexcept { return state_ != nullptr; }

    [[nodiscard]] pid_t pid() const;
    /// Readable (poll(2)) once the program has ended: see pidfd_open(2). Borrowed; -1 before Linux 5.3.
    [[nodiscard]] int pidfd() const;

    /// Waits until the program ends, and reaps it.
    ExitStatus wait();
    /// Does not wait: the status if the program has ended, or nothing.
    std::optional<ExitStatus> try_wait();
    /// Waits until then at most: the status if the program has ended, or nothing.
    std::optional<ExitStatus> wait_until(Deadline deadline);
    /// The same, for so long at most.
    std::optional<ExitStatus> wait_for(std::chrono::nanoseconds time);

    /// Sends a signal to the program alone. Does nothing if it has ended. Throws std::system_error: EPERM if
    /// this process may not signal it any more, EINVAL if there is no such signal. With a
    /// reaper, nobody is told that a program could not be signalled.
    void signal(int signal);
    /// The same without throwing std::system_error: sets `error` or clears it.
    void signal(int signal, std::error_code& error);
    /// Ends the program as you say: `child.stop({Stop::terminate(5s), Stop::kill()})`. Takes one action
    /// after the other until the program has ended, reaps it, and returns its status; nothing if it still
    /// runs after the last. Signals go to `ending.scope`.
    ///
    /// Throws std::invalid_argument for a signal that does not exist or a negative time. Throws
    /// std::system_error if the last signal was refused and the program still runs; it does not wait then.
    std::optional<ExitStatus> stop(const StopActions& actions);
    /// Asks the program to end (SIGTERM), and after `grace` makes it: stop({Stop::terminate(grace),
    /// Stop::kill()}). A negative grace is none.
    ///
    /// In a container this may kill at once, unless the program has a reaper (FirstProcess). The first
    /// process of a pid namespace gets SIGTERM only if it has a handler for it, and most programs have none.
    /// The library sees that, and does not wait for what cannot come. With KillScope::process_group or `session`
    /// the others of the group do get the signal, so they have the grace, and you wait for it.
    ExitStatus terminate(std::chrono::nanoseconds grace);
    /// stop({Stop::kill()}).
    ExitStatus kill();
    /// Lets the program run on, and leaves this Process empty. Returns the pid. The program is still a child
    /// of this process: reap it with waitpid(2), or it stays a zombie once it has ended. Step::after_end does
    /// not run: what it would have taken back is yours.
    pid_t release();
    /// The same; you own the pidfd, too.
    pid_t release(UniqueFd& pidfd);

    /// Your side of the barrier, with `readiness.hand_over` or `readiness.within`. It sees the program die
    /// even while another process holds the program's side open, since it watches pidfd(), too. Throws
    /// std::logic_error if it was not handed over, or was moved out.
    [[nodiscard]] Barrier& barrier();
    /// Moves it out. It still watches pidfd(), so this Process must outlive it: see Barrier::watch_peer().
    [[nodiscard]] Barrier take_barrier();

    /// Your ends of the pipes that you asked for by Stdio::pipe(). Borrowed; -1 if there is none, or it was
    /// moved out. As with any pipe, to write to one that nobody reads any more raises SIGPIPE.
    [[nodiscard]] int standard_input() const;
    [[nodiscard]] int standard_output() const;
    [[nodiscard]] int standard_error() const;
    /// Move them out; you own what is returned. Throws std::logic_error if there is none.
    UniqueFd take_standard_input();
    UniqueFd take_standard_output();
    UniqueFd take_standard_error();

    /// What went wrong in Step::after_end parts: "'cgroup' failed after the end: rmdir: device or resource
    /// busy". Empty if nothing did, or they have not run yet. (The destructor runs them as well, and has nobody
    /// to tell.)
    [[nodiscard]] const std::string& after_end_failures() const;
    /// What it has used; nothing until its status was taken by one of the above, or if somebody else has
    /// reaped it.
    [[nodiscard]] const std::optional<ResourceUsage>& usage() const;
    /// How it was started; never `automatic`.
    [[nodiscard]] StartMethod start_method() const;
    /// What each side did until the program ran.
    [[nodiscard]] Timeline timeline() const;

    struct State;
    /// For the library.
    explicit Process(std::unique_ptr<State> state) noexcept;
    [[nodiscard]] detail::ChildHandle& child() const;

private:
    friend class ProcessSet;
    State& state() const;
    State& own_state() const;
    std::unique_ptr<State> state_;
};

}  // namespace syncspawn
