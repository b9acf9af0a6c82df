#pragma once

#include <chrono>
#include <cstdint>
#include <system_error>
#include <utility>

#include <syncspawn/barrier.h>
#include <syncspawn/barrier/events.hpp>

/// syncspawn::Barrier keeps two processes in step:
///
///     #include <unistd.h>
///
///     #include <syncspawn/barrier/barrier.hpp>
///
///     int main() {
///         syncspawn::BarrierPair pair = syncspawn::Barrier::pair();
///         if (fork() == 0) {
///             syncspawn::Barrier barrier = std::move(pair).child();
///             // ... set up this side ...
///             _exit(barrier.place_and_sync() == syncspawn::Outcome::reached ? 0 : 1);
///         }
///         syncspawn::Barrier barrier = std::move(pair).parent();
///         // ... set up the other side ...
///         return barrier.place_and_sync() == syncspawn::Outcome::reached ? 0 : 1;
///     }
///
/// Model. To say "I am this far", a side adds 1 to a counter that the other side reads. Each such 1 is a
/// *place*, and to add it is *to place*. A side waits for the places of the other side, its *peer*. An
/// *abort* replaces the places that the peer has not read yet. An *exit* of the peer (return, crash,
/// SIGKILL, destroyed barrier, execve without hand-over) does not: it queues behind them, and ends only a
/// wait for more places than there were. barrier/README.md has the protocol, and a table of every
/// operation in every state.
///
/// Three forms. `sync()` waits, `sync_until(deadline)` does so until then, and `try_sync()` never blocks;
/// `timed_out` means "not yet", and the barrier stays usable. <syncspawn/barrier/events.hpp> says what an
/// event loop watches between two tries.
///
/// Safety. After pair() or create() nothing allocates, locks or throws; every operation is
/// async-signal-safe and may run between fork and execve. A signal never ends a wait, but its handler may
/// abort, which leaves errno alone: the wait that it interrupts then ends `aborted_here`; one that was
/// just about to sleep does so when it next wakes up. A wait needs an RLIMIT_NOFILE of 3 (poll(2)), a
/// place on a full counter one of 4: below that they fail with EMFILE. A Barrier belongs to one thread.

namespace syncspawn {

enum class Role : int { parent = SYNCSPAWN_PARENT, child = SYNCSPAWN_CHILD };

/// How an operation ended.
enum class [[nodiscard]] Outcome{
    reached,        ///< what the operation is for
    aborted_here,   ///< this side had aborted
    aborted_there,  ///< the peer aborted
    peer_gone,      ///< the peer ended without having placed enough
    timed_out,      ///< not yet: the deadline passed, or a try would have to wait
    failed,         ///< misuse or an I/O failure: see error()
};

/// The name of the enumerator, for messages.
[[nodiscard]] SYNCSPAWN_API const char* to_string(Outcome outcome) noexcept;

/// An absolute point of CLOCK_MONOTONIC.
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

class BarrierPair;

/// One side of a barrier; owns its descriptors. Move-only. A default-constructed or moved-from one
/// is empty: its operations end `failed` with EINVAL.
class SYNCSPAWN_API Barrier {
public:
    /// Opens a barrier: both of its sides, of which each process takes one after fork. Throws
    /// std::system_error: EMFILE, ENFILE, ENOMEM, ENODEV.
    static BarrierPair pair();
    /// The same without exceptions; returns an empty pair on failure.
    static BarrierPair pair(std::error_code& error) noexcept;

    /// Low-level: a side without a role, for set_role(). Use this where the object has to exist before
    /// it is known which side it will be, as in a launcher's member, and pair() everywhere else.
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

    /// What BarrierPair does for you: once on each side, after fork. It closes the other side's pipe
    /// end. A second call is misuse and changes nothing.
    Outcome set_role(Role role) noexcept;
    /// A pidfd of the peer as a second witness of its death. Borrowed: keep it open as long.
    Outcome watch_peer(int pidfd) noexcept;
    /// The peer may be hostile, or is about to execute a program that may. It could take O_NONBLOCK
    /// away, fill the counter and so block this side in its own place(). From now on each place sets the
    /// flag first: one more system call. Not handed over execve.
    Outcome distrust_peer() noexcept;
    /// Closes everything now.
    void destroy() noexcept;

    /// Makes a place. Waits only while the counter is full. It does not ask whether the peer is still
    /// there: only a wait finds out.
    Outcome place() noexcept;
    Outcome place_until(Deadline deadline) noexcept;
    Outcome try_place() noexcept;
    /// Gives up, and lets the peer know. Never waits. A second call does nothing.
    Outcome abort() noexcept;

    /// Waits for at least one place of the peer that was not read before; takes all that are there.
    Outcome wait_next() noexcept;
    Outcome wait_next_until(Deadline deadline) noexcept;
    Outcome try_wait_next() noexcept;
    /// Waits for the peer's n-th place since the barrier was opened; reached at once when it was read
    /// before. The count goes on beyond execve: a launch's rendezvous are in it, so the next place is
    /// number status().seen + 1.
    Outcome wait_for_place(int64_t n) noexcept;
    Outcome wait_for_place_until(int64_t n, Deadline deadline) noexcept;
    Outcome try_wait_for_place(int64_t n) noexcept;
    /// Waits until the peer has placed once more, if it owes a place at all.
    Outcome sync_next() noexcept;
    Outcome sync_next_until(Deadline deadline) noexcept;
    Outcome try_sync_next() noexcept;
    /// Waits until the peer has placed at least as often as this side.
    Outcome sync() noexcept;
    Outcome sync_until(Deadline deadline) noexcept;
    Outcome try_sync() noexcept;
    /// place, then sync: the rendezvous. It has no try, which could not tell whether it had placed: use
    /// try_place() until that is reached, and then try_sync().
    Outcome place_and_sync() noexcept;
    Outcome place_and_sync_until(Deadline deadline) noexcept;
    /// Waits until the peer has aborted or is gone.
    Outcome wait_abortion() noexcept;
    Outcome wait_abortion_until(Deadline deadline) noexcept;
    Outcome try_wait_abortion() noexcept;
    /// Never blocks: reads what is there and looks for the peer's death. `reached`: alive and in
    /// step; `timed_out`: alive, but sync() would have to wait.
    Outcome poll_now() noexcept;

    /// What to poll before the next try of a wait or a sync, and before the next try_place().
    [[nodiscard]] BarrierEvents events_for_wait() const noexcept;
    [[nodiscard]] BarrierEvents events_for_place() const noexcept;

    /// A wait reads all the places that are there. This puts back those that no wait was for, so that a
    /// later wait or the next holder of this side finds them; also an abort of the peer that is known.
    /// Never waits. The peer's end, if known, is to be met again behind what was put back.
    Outcome put_back() noexcept;

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

/// Both sides of a barrier, as long as one process has them. After fork each process takes its own, which
/// closes what belongs to the other. Move-only. A side taken from an empty pair is empty.
class SYNCSPAWN_API BarrierPair {
public:
    BarrierPair() noexcept = default;

    /// In the process that forked: `std::move(pair).parent()`.
    [[nodiscard]] Barrier parent() && noexcept { return take(Role::parent); }
    /// In the one that was forked. Async-signal-safe.
    [[nodiscard]] Barrier child() && noexcept { return take(Role::child); }

    [[nodiscard]] bool is_open() const noexcept { return sides_.is_open(); }

private:
    friend class Barrier;
    explicit BarrierPair(Barrier sides) noexcept : sides_(std::move(sides)) {}
    Barrier take(Role role) noexcept {
        (void)sides_.set_role(role);  // misuse of an empty pair: its side is empty
        return std::move(sides_);
    }

    Barrier sides_;
};

}  // namespace syncspawn
