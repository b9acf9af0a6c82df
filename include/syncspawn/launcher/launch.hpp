#pragma once

#include <memory>

#include <syncspawn/launcher/process.hpp>
#include <syncspawn/launcher/spawn_error.hpp>

/// syncspawn::Launch: a launch that an event loop drives, so that no thread waits for it.
///
///     syncspawn::Launch launch = spawner.launch();
///     while (!launch.advance()) {
///         pollfd one{launch.descriptor(), POLLIN, 0};  // or epoll, libuv, GLib, Asio ...
///         poll(&one, 1, -1);
///     }
///     syncspawn::Process child = launch.take_process();  // throws SpawnError
///
/// The same launch as SyncedSpawner::spawn(), which waits by itself; <syncspawn/boost.hpp> has
/// async_spawn(), which does all this for Asio.

namespace syncspawn {

namespace detail {
class Course;
}

/// Move-only. Belongs to one thread at a time. If this process dies during the setup, so does the child:
/// at once if the first advance() is called by the first thread of the process, or with
/// `ending.die_with_parent`; else at the end of the part that it is in, since the kernel would kill it as soon as that thread ends.
class SYNCSPAWN_API Launch {
public:
    /// No launch: every operation but the destructor, assignment and the bool is misuse
    /// (std::logic_error).
    Launch() noexcept;
    Launch(Launch&&) noexcept;
    Launch& operator=(Launch&&) noexcept;
    Launch(const Launch&) = delete;
    Launch& operator=(const Launch&) = delete;
    /// One that is not over is given up: the child is told to end, killed after `setup.abort_grace`, and reaped.
    /// That waits; cancel() and advance() do not. In a copy of this process (fork(2)) nothing of this
    /// happens: the destructor just closes descriptors and destroys what parts keep (ParentSide::state()), and all
    /// else throws std::logic_error.
    ~Launch();
    explicit operator bool() const noexcept { return course_ != nullptr; }

    /// Goes on as far as it can without waiting: the first call starts the child, and the parent's parts
    /// run inside (see ParentSide::wait_for()). True once it is over, for better or worse. Throws std::bad_alloc;
    /// std::logic_error if such a part calls it.
    bool advance();
    /// Readable (poll(2)) when advance() has something to do, be it that a deadline has passed. Borrowed;
    /// valid from the first advance() until the launch is over, else -1. No other process uses it, so
    /// an event loop may set flags on it.
    [[nodiscard]] int descriptor() const;
    /// Gives up: goes on to its end as `cancelled`, by way of advance(); also from within a part of
    /// the parent. Nothing happens if it is over.
    void cancel();
    /// Once, after the launch is over (else std::logic_error): the program, or SpawnError is thrown.
    [[nodiscard]] Process take_process();
    /// The same without throwing SpawnError: sets `error` and returns no process, or clears it.
    [[nodiscard]] Process take_process(SpawnError& error);

    /// For the library.
    explicit Launch(std::unique_ptr<detail::Course> course) noexcept;

private:
    detail::Course& course() const;
    std::unique_ptr<detail::Course> course_;
};

}  // namespace syncspawn
