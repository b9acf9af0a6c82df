// Every operation on a side with a role.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "look.hpp"

namespace syncspawn::core {
namespace {

enum class Entry { go_on, ended };

// What every operation but abort, wait_abortion and set_role asks before any I/O. A latched
// peer_gone is not in it: it must not fail what the counts already satisfy.
Entry enter(Side& side, Outcome& outcome) noexcept {
    if (side.is_open == 0 || side.role == SYNCSPAWN_NO_ROLE) {
        outcome = misuse(side);
    } else if (side.failure != 0) {
        side.last_error = side.failure;
        outcome = Outcome::failed;
    } else if ((side.abort_state & here) != 0) {
        outcome = Outcome::aborted_here;
    } else if ((side.abort_state & there) != 0) {
        outcome = Outcome::aborted_there;
    } else {
        return Entry::go_on;
    }
    return Entry::ended;
}

// Until the counts satisfy the condition, the peer aborts, or it is known to be gone. A death that
// was seen before the count was taken is final. Past the deadline there is one look and no more,
// or a peer that never stops placing could hold this side for ever. `aborted_here`: a signal handler
// did so during the wait; `own_abort` is what was known of that before.
template <class Condition>
Outcome wait_until(Side& side, const timespec* deadline, Condition satisfied,
                   int own_abort = 0) noexcept {
    bool took_places = false;
    for (bool is_late = false; !satisfied(took_places);) {
        if ((side.abort_state & gone) != 0) {
            return Outcome::peer_gone;
        }
        if (is_late) {
            return Outcome::timed_out;
        }
        const Look seen = look(side, Wanted::count, deadline);
        if (seen.failed || (seen.count && !drain(side, took_places))) {
            return Outcome::failed;
        }
        if ((side.abort_state & here) != own_abort) {
            return Outcome::aborted_here;
        }
        if ((side.abort_state & there) != 0) {
            return Outcome::aborted_there;
        }
        if (seen.death && !satisfied(took_places)) {
            latch(side, gone);
        }
        is_late = seen.is_last;
    }
    return Outcome::reached;
}

// A wait of the operations that have use for the peer's places, up to number `last_needed`. What is read
// beyond that is surplus: put_back gives it to the next wait, or to the next holder of this side.
template <class Condition>
Outcome wait_and_use(Side& side, std::int64_t last_needed, const timespec* deadline,
                     Condition satisfied) noexcept {
    Outcome outcome{};
    if (enter(side, outcome) == Entry::ended) {
        return outcome;
    }
    const std::int64_t seen_before = side.seen;
    outcome = wait_until(side, deadline, satisfied);
    if (outcome == Outcome::reached || side.seen > seen_before) {
        side.used = std::max(side.used, std::min(last_needed, side.seen));
    }
    return outcome;
}

// The peer's place after `count` of them.
std::int64_t one_more(std::int64_t count) noexcept {
    add_saturating(count, 1);
    return count;
}

// The peer's place that makes up for this side's last one.
std::int64_t last_owed(const Side& side) noexcept {
    std::int64_t own_places = side.seen;
    add_saturating(own_places, side.balance);
    return own_places;
}

enum class Added { all, no_room, failed };

// The flag belongs to the peer too: one that took it away and filled the counter must not block this
// write.
ssize_t write_without_blocking(int fd, std::uint64_t count) noexcept {
    return fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ? -1 : ::write(fd, &count, sizeof count);
}

Added add_without_blocking(Side& side, int fd, std::uint64_t count) noexcept {
    ssize_t size = 0;
    do {
        size = write_without_blocking(fd, count);
    } while (size < 0 && errno == EINTR);
    if (size < 0 && errno != EAGAIN) {
        (void)fail(side, errno);
        return Added::failed;
    }
    return size < 0 ? Added::no_room : Added::all;
}

// The flag is given back only where the peer may have taken it: a launch has no call to spare.
ssize_t write_one(const Side& side) noexcept {
    const std::uint64_t one = 1;
    return side.distrusts_peer != 0 ? write_without_blocking(side.local_fd, one)
                                    : ::write(side.local_fd, &one, sizeof one);
}

}  // namespace

Outcome place(Side& side, const timespec* deadline) noexcept {
    Outcome outcome{};
    if (enter(side, outcome) == Entry::ended) {
        return outcome;
    }
    for (bool is_late = false;;) {
        const ssize_t size = write_one(side);
        if (size == sizeof(std::uint64_t)) {
            add_saturating(side.balance, 1);
            return Outcome::reached;
        }
        if (size >= 0) {
            return fail(side, EIO);
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno != EAGAIN) {
            return fail(side, errno);
        }
        if (is_late) {
            return Outcome::timed_out;
        }
        // As in a wait, the count is taken too: the peer's abort has to get through, its death is
        // concluded only once the count is empty, and two full sides do not wait for each other.
        const Look seen = look(side, Wanted::count_or_room, deadline);
        bool took_places = false;
        if (seen.failed || (seen.count && !drain(side, took_places))) {
            return Outcome::failed;
        }
        if (enter(side, outcome) == Entry::ended) {
            return outcome;
        }
        if (seen.death && !seen.room) {
            latch(side, gone);
            return Outcome::peer_gone;
        }
        is_late = seen.is_last;
    }
}

namespace {

Outcome abort_now(Side& side) noexcept {
    if (side.is_open == 0 || side.role == SYNCSPAWN_NO_ROLE) {
        return misuse(side);
    }
    if (side.failure != 0) {
        side.last_error = side.failure;
        return Outcome::failed;
    }
    const int peer = side.abort_state & (there | gone);
    if ((side.abort_state & here) != 0) {
        return peer != 0 ? Outcome::aborted_here : Outcome::reached;
    }
    latch(side, here);

    const Added added = add_without_blocking(side, side.local_fd, abort_word);
    if (added == Added::failed) {
        return Outcome::failed;
    }
    if (added == Added::no_room) {
        // No room: the closed pipe tells the peer. It was also the witness of the peer's end, which
        // a pidfd does not replace: the peer may close its side and live on. No wait may hope to
        // learn more.
        close_and_forget(own_pipe_end(side));
        if (peer == 0) {
            latch(side, gone);
        }
    }
    if ((peer & there) != 0) {
        return Outcome::aborted_there;
    }
    return (peer & gone) != 0 ? Outcome::peer_gone : Outcome::reached;
}

}  // namespace

Outcome abort(Side& side) noexcept {
    const int errno_of_caller = errno;  // who may be a signal handler
    const Outcome outcome = abort_now(side);
    errno = errno_of_caller;
    return outcome;
}

Outcome wait_next(Side& side, const timespec* deadline) noexcept {
    return wait_and_use(side, one_more(side.seen), deadline,
                        [](bool took_places) { return took_places; });
}

Outcome wait_for_place(Side& side, std::int64_t n, const timespec* deadline) noexcept {
    return wait_and_use(side, n, deadline, [&](bool) { return side.seen >= n; });
}

Outcome sync_next(Side& side, const timespec* deadline) noexcept {
    const std::int64_t target = side.balance > 0 ? side.balance - 1 : 0;
    const std::int64_t last_needed = side.balance > 0 ? one_more(side.seen) : last_owed(side);
    return wait_and_use(side, last_needed, deadline, [&](bool) { return side.balance <= target; });
}

Outcome sync(Side& side, const timespec* deadline) noexcept {
    return wait_and_use(side, last_owed(side), deadline, [&](bool) { return side.balance <= 0; });
}

Outcome place_and_sync(Side& side, const timespec* deadline) noexcept {
    const Outcome outcome = place(side, deadline);
    return outcome == Outcome::reached ? sync(side, deadline) : outcome;
}

Outcome wait_abortion(Side& side, const timespec* deadline) noexcept {
    if (side.is_open == 0 || side.role == SYNCSPAWN_NO_ROLE) {
        return misuse(side);
    }
    if (side.failure != 0) {
        side.last_error = side.failure;
        return Outcome::failed;
    }
    while ((side.abort_state & (there | gone)) == 0) {
        const Outcome outcome = wait_until(
            side, deadline, [](bool) { return false; }, side.abort_state & here);
        if (outcome == Outcome::timed_out || outcome == Outcome::failed) {
            return outcome;
        }
    }
    return (side.abort_state & here) != 0 ? Outcome::aborted_here : Outcome::reached;
}

// Without room there is an abort in the counter, which supersedes whatever would be put there.
Outcome put_back(Side& side) noexcept {
    Outcome outcome{};
    if (enter(side, outcome) == Entry::ended) {
        const bool took_an_abort = outcome != Outcome::failed && (side.abort_state & there) != 0;
        return took_an_abort &&
                       add_without_blocking(side, side.remote_fd, abort_word) == Added::failed
                   ? Outcome::failed
                   : outcome;
    }
    // As many at once as a single read may take without meaning an abort.
    const std::int64_t surplus =
        std::min(side.seen - side.used, static_cast<std::int64_t>(abort_word) - 1);
    if (surplus <= 0) {
        return Outcome::reached;
    }
    const auto count = static_cast<std::uint64_t>(surplus);
    switch (add_without_blocking(side, side.remote_fd, count)) {
        case Added::failed:
            return Outcome::failed;
        case Added::no_room:
            break;
        case Added::all:
            add_saturating(side.balance, surplus);
            side.seen -= surplus;
            // The peer's end queues behind its places, so it is to be met again.
            __atomic_fetch_and(&side.abort_state, ~gone, __ATOMIC_RELAXED);
    }
    return Outcome::reached;
}

Outcome poll_now(Side& side) noexcept {
    Outcome outcome{};
    if (enter(side, outcome) == Entry::ended) {
        return outcome;
    }
    outcome = wait_until(side, &at_once, [](bool) { return false; });
    return outcome == Outcome::timed_out && side.balance <= 0 ? Outcome::reached : outcome;
}

}  // namespace syncspawn::core
