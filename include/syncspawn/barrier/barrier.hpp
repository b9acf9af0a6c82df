#pragma once

#include <chrono>
#include <cstdint>
#include <system_error>

#include <syncspawn/barrier.h>

/// syncspawn::Barrier: keeps two processes in step.
///
///     auto barrier = syncspawn::Barrier::create();
///     if (fork() == 0) {
///         (void)barrier.set_role(syncspawn::Role::child);
///         // ... set up this side ...
///         _exit(barrier.place_and_sync() == syncspawn::Outcome::reached ? 0 : 1);
///     }
///     (void)barrier.set_role(syncspawn::Role::parent);
///     // ... set up the other ...
///     bool in_step = barrier.place_and_sync() == syncspawn::Outcome::reached;
///
/// Model. Each side *places* sync points and waits for those of the other. An *abort* supersedes
/// the places that the peer had not read. An *exit* of the peer (return, crash, SIGKILL, destroyed
/// barrier, execve without hand-over) queues behind the places it made: it ends only a wait for
/// more than those. barrier/README.md has the protocol and the table of every operation in every
/// state.
///
/// Safety. After create() nothing allocates, locks or throws; every operation is async-signal-safe
/// and may run between fork and execve. Signals never end a wait, but a handler may abort, which
/// leaves errno alone: the wait that it interrupts then ends `aborted_here`; one that was just about
/// to sleep does so when it next wakes up. A wait needs an RLIMIT_NOFILE of 3 (poll(2)), a place on a
/// full counter one of 4: below that they fail with EMFILE. A Barrier belongs to one thread.

namespace syncspawn {

enum class Role : int { parent = SYNCSPAWN_PARENT, child = SYNCSPAWN_CHILD };

/// How an operation ended.
enum class [[nodiscard]] Outcome{
    reached,        ///< what the operation is for
    aborted_here,   ///< this side had aborted
    aborted_there,  ///< the peer aborted
    peer_gone,      ///< the peer ended without having placed enough
    timed_out,      ///< the deadline passed; the barrier stays usable
    failed,         ///< misuse or an I/O failure: see error()
};

/// The name of the enumerator, for messages.
[[nodiscard]] SYNCSPAWN_API const char* to_string(Outcome outcome) noexcept;

/// An absolute point of CLOCK_MONOTONIC. One in the past makes a wait a poll.
using Deadline = std::chrono::steady_clock::time_point;

/// What this side knows, without looking.
struct BarrierStatus {
    int64_t balance = 0;  ///< own places minus the peer's places read here
    int64_t seen = 0;     ///< the peer's places read here
    bool aborted_here = false;
    bool aborted_there = false;  ///< excludes peer_gone: the first cause wins
    bool peer_gone = false;
    int failure = 0;  ///< errno of the first I/O failure
};

/// One side of a barrier; owns its descriptors. Move-only. A default-constructed or moved-from one
/// is empty: its operations end `failed` with EINVAL.
class SYNCSPAWN_API Barrier {
public:
    /// Opens the barrier. Throws std::system_error: EMFILE, ENFILE, ENOMEM, ENODEV.
    static Barrier create();
    /// The same without exceptions; returns an empty barrier on failure.
    static Barrier create(std::error_code& error) noexcept;

    Barrier() noexcept = default;
    /// Takes over a side that C code opened, with its descriptors.
    explicit Barrier(const syncspawn_barrier& adopted) noexcept : side_(adopted) {}
    Barrier(Barrier&& other) noexcept;
    Barrier& operator=(Barrier&& other) noexcept;
    Barrier(const Barrier&) = delete;
    Barrier& operator=(const Barrier&) = delete;
    /// Closes everything; for the peer that is an exit.
    ~Barrier();

    /// Once on each side, after fork. A second call is misuse and changes nothing.
    Outcome set_role(Role role) noexcept;
    /// A pidfd of the peer as a second witness of its death. Borrowed: keep it open as long.
    Outcome watch_peer(int pidfd) noexcept;
    /// Closes everything now.
    void destroy() noexcept;

    /// One more sync point of this side. Waits only while the peer's counter is full. It does not ask
    /// whether the peer is still there: only a wait finds out.
    Outcome place() noexcept;
    Outcome place_until(Deadline deadline) noexcept;
    /// Gives up, and lets the peer know. Never waits. A second call does nothing.
    Outcome abort() noexcept;

    /// At least one place of the peer that was not read before; takes all that are there.
    Outcome wait_next() noexcept;
    Outcome wait_next_until(Deadline deadline) noexcept;
    /// The peer's n-th place since create(); at once when it was read before. Beyond execve the count
    /// goes on: a launch's rendezvous are in it, so the next place is number status().seen + 1.
    Outcome wait_for_place(int64_t n) noexcept;
    Outcome wait_for_place_until(int64_t n, Deadline deadline) noexcept;
    /// The peer made up for one more of this side's places.
    Outcome sync_next() noexcept;
    Outcome sync_next_until(Deadline deadline) noexcept;
    /// The peer placed at least as often as this side.
    Outcome sync() noexcept;
    Outcome sync_until(Deadline deadline) noexcept;
    /// place, then sync: the rendezvous.
    Outcome place_and_sync() noexcept;
    Outcome place_and_sync_until(Deadline deadline) noexcept;
    /// The peer aborted or is gone.
    Outcome wait_abortion() noexcept;
    Outcome wait_abortion_until(Deadline deadline) noexcept;
    /// Never blocks: reads what is there and looks for the peer's death. `reached`: alive and in
    /// step; `timed_out`: alive, but sync() would have to wait.
    Outcome poll_now() noexcept;
    /// A wait reads all that is there. This gives back what was read after the peer's n-th place, for
    /// a later wait or another holder of this side; a known abort of the peer, too. Never waits. An
    /// end of the peer queues behind what is given back.
    Outcome put_back_after(int64_t n) noexcept;

    [[nodiscard]] BarrierStatus status() const noexcept;
    /// Why the last operation that ended `failed` did so.
    [[nodiscard]] std::error_code error() const noexcept;
    [[nodiscard]] bool is_open() const noexcept { return side_.is_open != 0; }
    /// The side as C sees it. Still owned by this object.
    [[nodiscard]] syncspawn_barrier* native() noexcept { return &side_; }
    [[nodiscard]] const syncspawn_barrier* native() const noexcept { return &side_; }

private:
    syncspawn_barrier side_{};
};

}  // namespace syncspawn
