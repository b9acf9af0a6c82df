#pragma once

#include <memory>

#include <syncspawn/launcher/launch_wait.hpp>
#include <syncspawn/launcher/process.hpp>
#include <syncspawn/launcher/spawn_error.hpp>

/// syncspawn::Launch: a launch in your event loop, so that no thread waits for it.
///
///     #include <poll.h>
///     #include <syncspawn/launcher.hpp>
///
///     int main() {
///         const syncspawn::SyncedSpawner spawner({.program = "true"});
///         syncspawn::Launch launch = spawner.launch();  // nothing has happened yet
///         while (!launch.advance()) {
///             pollfd loop{launch.descriptor(), POLLIN, 0};  // or epoll, libuv, GLib ...
///             poll(&loop, 1, -1);
///         }
///         return launch.take_process().wait().shell_code();  // throws SpawnError if the launch failed
///     }
///
/// It is the launch of SyncedSpawner::spawn(), in pieces: each advance() goes on as far as it can without
/// waiting. Any number of them may be under way in one loop. For Asio, <syncspawn/boost.hpp> has
/// async_spawn(), which does all of this.

namespace syncspawn {

namespace detail {
class Course;
class Stage;
}  // namespace detail

/// Move-only. Use one object in one thread at a time. Nothing here is async-signal-safe.
///
/// A default-constructed or moved-from Launch is empty. You may destroy it, assign to it or test it;
/// anything else throws std::logic_error. So does everything but the destructor in the copy of a Launch
/// that fork(2) makes.
///
/// If this process dies during the setup, so does the child. It dies at once if the first thread of the
/// process was the first to call advance(), or with `ending.die_with_parent`; else when the part that it is
/// in has ended. (The kernel would kill it as soon as the thread that started it ends, so nobody asks the
/// kernel there.)
class SYNCSPAWN_API Launch {
public:
    /// An empty one.
    Launch() noexcept;
    Launch(Launch&&) noexcept;
    Launch& operator=(Launch&&) noexcept;
    Launch(const Launch&) = delete;
    Launch& operator=(const Launch&) = delete;
    /// Gives up a launch that is not over: tells the child to end, kills it after `setup.abort_grace`, and
    /// reaps it. That waits; to avoid it, cancel() and advance(). In a copy that fork(2) made it just
    /// closes descriptors and destroys what parts keep (ParentSide::state()).
    ~Launch();
    explicit operator bool() const noexcept { return course_ != nullptr; }

    /// Goes on as far as it can without waiting. True once the launch is over, for better or worse. The
    /// first call starts the child. The parent's parts run in here: one that blocks, blocks your loop, so
    /// let it return ParentSide::wait_for(). May throw std::bad_alloc; throws std::logic_error if a part of
    /// this launch calls it.
    bool advance();
    /// Readable (poll(2)) when advance() has something to do, also when a deadline has passed. Borrowed;
    /// the same from the first advance() until the launch is over, else -1. No other process shares it, so
    /// your loop may set flags on it.
    [[nodiscard]] int descriptor() const;
    /// What it waits for now, for somebody who wonders why it takes so long.
    [[nodiscard]] LaunchWait waits_for() const;
    /// What each side has done so far; empty once the launch is over: the Process has it then, or the error.
    [[nodiscard]] Timeline timeline() const;
    /// Your end of a Stdio::pipe(), from the first advance() that starts the child until the launch is over: to
    /// write to the program or read from it before it is ready. The Process has none then. Throws
    /// std::logic_error if there is none (any more).
    [[nodiscard]] UniqueFd take_standard_input();
    [[nodiscard]] UniqueFd take_standard_output();
    [[nodiscard]] UniqueFd take_standard_error();
    /// Gives up, without waiting: the next calls of advance() end the child, and the error is
    /// Cause::cancelled. Does nothing if the launch is over. A part of the parent may call it, too.
    void cancel();
    /// The program, or throws SpawnError. Call it once, when the launch is over; else it throws
    /// std::logic_error.
    [[nodiscard]] Process take_process();
    /// The same without throwing SpawnError: sets `error` and returns no process, or clears it.
    [[nodiscard]] Process take_process(SpawnError& error);

    /// For the library.
    explicit Launch(std::unique_ptr<detail::Course> course) noexcept;

private:
    friend class detail::Stage;
    detail::Course& course() const;
    bool turns_out_to_be_over();
    [[nodiscard]] bool has_started() const;
    std::unique_ptr<detail::Course> course_;
};

}  // namespace syncspawn
