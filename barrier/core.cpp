#include "core.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <limits>

#include "barrier/linux/fresh_descriptor.hpp"
#include "barrier/linux/newer_calls.hpp"
#include "barrier/linux/time_left.hpp"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008  // not in every C library
#endif

namespace syncspawn::core {
namespace {

constexpr int here = SYNCSPAWN_ABORTED_HERE;
constexpr int there = SYNCSPAWN_ABORTED_THERE;
constexpr int gone = SYNCSPAWN_PEER_GONE;

constexpr std::uint64_t abort_word = std::numeric_limits<std::int64_t>::max();

// A peer can make the counts as large as it likes; they stop at the ends of the range.
void add_saturating(std::int64_t& value, std::int64_t summand) noexcept {
    if (__builtin_add_overflow(value, summand, &value)) {
        value = summand > 0 ? std::numeric_limits<std::int64_t>::max()
                            : std::numeric_limits<std::int64_t>::min();
    }
}

// In one piece: a signal handler may abort in between.
void latch(Side& side, int bit) noexcept {
    __atomic_fetch_or(&side.abort_state, bit, __ATOMIC_RELAXED);
}

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

struct Look {
    bool failed = false;
    bool count = false;  // places or an abort of the peer
    bool room = false;   // for one more place of this side
    bool death = false;
    bool is_last = false;  // the deadline had passed: nobody may look again
};

enum class Wanted { count, count_or_room };

// Waits for what is wanted, for the peer's death, or for the deadline. One ppoll looks at the
// witnesses of death first and at the count second (the kernel goes through the array in order, once
// more at the deadline too): what the peer did before its death is therefore seen. Ends early, having
// seen nothing, if a signal handler aborts meanwhile, which may close the pipe.
Look look(Side& side, Wanted wanted, const timespec* deadline) noexcept {
    const int known = side.abort_state;
    pollfd watched[] = {{side.peer_pidfd, POLLIN, 0},
                        {own_pipe_end(side), 0, 0},
                        {side.remote_fd, POLLIN, 0},
                        {side.local_fd, POLLOUT, 0}};
    Look seen;
    int found = 0;
    do {
        timespec left{};
        if (deadline != nullptr) {
            left = detail::time_left(*deadline);
            seen.is_last = left.tv_sec == 0 && left.tv_nsec == 0;
        }
        const timespec* const limit = deadline != nullptr ? &left : nullptr;
        found = wanted == Wanted::count ? ppoll(watched, 3, limit, nullptr)
                                        : ppoll(watched, 4, limit, nullptr);
    } while (found < 0 && errno == EINTR && side.abort_state == known);
    if (side.abort_state != known) {
        return seen;
    }
    int error = 0;
    if (found < 0) {
        error = errno == EINVAL ? EMFILE : errno;  // more descriptors than RLIMIT_NOFILE, poll(2)
    } else if (((watched[0].revents | watched[1].revents | watched[2].revents |
                 watched[3].revents) &
                POLLNVAL) != 0) {
        error = EBADF;
    } else if ((watched[3].revents & (POLLERR | POLLOUT)) == POLLERR) {
        error = EOVERFLOW;  // 2^64 - 1: the kernel's own overflow, never writable again
    }
    if (error != 0) {
        (void)fail(side, error);
        seen.failed = true;
        return seen;
    }
    seen.count = watched[2].revents != 0;
    seen.room = watched[3].revents != 0;
    seen.death = (watched[0].revents | watched[1].revents) != 0;
    seen.is_last = seen.is_last || found == 0;
    return seen;
}

// O_NONBLOCK is shared with the peer, which may be a hostile program by now: the parent asks for
// each read not to block (Linux 5.8 for eventfds). The child trusts its parent and stays with
// read(2), which strict seccomp filters know. By number: preadv2 came to musl with 1.2.5.
ssize_t read_count(const Side& side, std::uint64_t& count) noexcept {
    if (side.role == SYNCSPAWN_PARENT) {
        const iovec buffer{&count, sizeof count};
        const long size = syscall(SYS_preadv2, side.remote_fd, &buffer, 1L, -1L, -1L, RWF_NOWAIT);
        if (size >= 0 || !detail::is_not_here(detail::NewerCall::preadv2_nowait, errno)) {
            return static_cast<ssize_t>(size);
        }
    }
    return ::read(side.remote_fd, &count, sizeof count);
}

// Takes the whole count. False after an I/O failure.
bool drain(Side& side, bool& took_places) noexcept {
    for (;;) {
        std::uint64_t count = 0;
        const ssize_t size = read_count(side, count);
        if (size == sizeof count) {
            if (count >= abort_word) {
                // Excluded by a latched death: the first cause wins.
                if ((side.abort_state & gone) == 0) {
                    latch(side, there);
                }
            } else {
                add_saturating(side.balance, -static_cast<std::int64_t>(count));
                add_saturating(side.seen, static_cast<std::int64_t>(count));
                took_places = true;
            }
            return true;
        }
        if (size >= 0) {
            (void)fail(side, EIO);
            return false;
        }
        if (errno == EAGAIN) {
            return true;
        }
        if (errno != EINTR) {
            (void)fail(side, errno);
            return false;
        }
    }
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

}  // namespace

Outcome misuse(Side& side) noexcept {
    side.last_error = EINVAL;
    return Outcome::failed;
}

Outcome fail(Side& side, int error) noexcept {
    side.failure = error;
    side.last_error = error;
    close_and_forget(side.pipe_read_fd);
    close_and_forget(side.pipe_write_fd);
    return Outcome::failed;
}

int& own_pipe_end(Side& side) noexcept {
    return side.role == SYNCSPAWN_PARENT ? side.pipe_read_fd : side.pipe_write_fd;
}

void close_and_forget(int& fd) noexcept {
    if (fd >= 0) {
        ::close(fd);
        fd = -1;
    }
}

int create(Side& side) noexcept {
    side = Side{};
    side.local_fd = side.remote_fd = side.pipe_read_fd = side.pipe_write_fd = side.peer_pidfd = -1;
    const auto give_up = [&side] {
        const int error = errno;
        side.is_open = 1;
        destroy(side);
        side.last_error = error;
        return error;
    };
    side.local_fd = above_standard_streams(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (side.local_fd < 0) {
        return give_up();
    }
    side.remote_fd = above_standard_streams(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (side.remote_fd < 0) {
        return give_up();
    }
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        return give_up();
    }
    side.pipe_write_fd = ends[1];
    side.pipe_read_fd = above_standard_streams(ends[0]);
    if (side.pipe_read_fd < 0) {
        return give_up();
    }
    side.pipe_write_fd = above_standard_streams(ends[1]);
    if (side.pipe_write_fd < 0) {
        return give_up();
    }
    side.is_open = 1;
    return 0;
}

Outcome set_role(Side& side, int role) noexcept {
    if (side.is_open == 0 || side.role != SYNCSPAWN_NO_ROLE ||
        (role != SYNCSPAWN_PARENT && role != SYNCSPAWN_CHILD)) {
        return misuse(side);
    }
    side.role = role;
    if (role == SYNCSPAWN_PARENT) {
        close_and_forget(side.pipe_write_fd);
    } else {
        close_and_forget(side.pipe_read_fd);
        const int local = side.local_fd;
        side.local_fd = side.remote_fd;
        side.remote_fd = local;
    }
    return Outcome::reached;
}

Outcome watch_peer(Side& side, int pidfd) noexcept {
    if (side.is_open == 0) {
        return misuse(side);
    }
    side.peer_pidfd = pidfd;
    return Outcome::reached;
}

void destroy(Side& side) noexcept {
    if (side.is_open != 0) {
        close_and_forget(side.local_fd);
        close_and_forget(side.remote_fd);
        close_and_forget(side.pipe_read_fd);
        close_and_forget(side.pipe_write_fd);
    }
    side = Side{};
}

Outcome place(Side& side, const timespec* deadline) noexcept {
    Outcome outcome{};
    if (enter(side, outcome) == Entry::ended) {
        return outcome;
    }
    for (bool is_late = false;;) {
        const std::uint64_t one = 1;
        const ssize_t size = ::write(side.local_fd, &one, sizeof one);
        if (size == sizeof one) {
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

enum class Added { all, no_room, failed };

// The flag belongs to the peer too: one that took it away and filled the counter must not block this
// write.
Added add_without_blocking(Side& side, int fd, std::uint64_t count) noexcept {
    ssize_t size = fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
    if (size == 0) {
        do {
            size = ::write(fd, &count, sizeof count);
        } while (size < 0 && errno == EINTR);
    }
    if (size < 0 && errno != EAGAIN) {
        (void)fail(side, errno);
        return Added::failed;
    }
    return size < 0 ? Added::no_room : Added::all;
}

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
    Outcome outcome{};
    if (enter(side, outcome) == Entry::ended) {
        return outcome;
    }
    return wait_until(side, deadline, [](bool took_places) { return took_places; });
}

Outcome wait_for_place(Side& side, std::int64_t n, const timespec* deadline) noexcept {
    Outcome outcome{};
    if (enter(side, outcome) == Entry::ended) {
        return outcome;
    }
    return wait_until(side, deadline, [&](bool) { return side.seen >= n; });
}

Outcome sync_next(Side& side, const timespec* deadline) noexcept {
    Outcome outcome{};
    if (enter(side, outcome) == Entry::ended) {
        return outcome;
    }
    const std::int64_t target = side.balance > 0 ? side.balance - 1 : 0;
    return wait_until(side, deadline, [&](bool) { return side.balance <= target; });
}

Outcome sync(Side& side, const timespec* deadline) noexcept {
    Outcome outcome{};
    if (enter(side, outcome) == Entry::ended) {
        return outcome;
    }
    return wait_until(side, deadline, [&](bool) { return side.balance <= 0; });
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
Outcome put_back_after(Side& side, std::int64_t n) noexcept {
    Outcome outcome{};
    if (enter(side, outcome) == Entry::ended) {
        const bool took_an_abort = outcome != Outcome::failed && (side.abort_state & there) != 0;
        return took_an_abort &&
                       add_without_blocking(side, side.remote_fd, abort_word) == Added::failed
                   ? Outcome::failed
                   : outcome;
    }
    const std::int64_t surplus = side.seen - (n > 0 ? n : 0);
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
    const timespec past{0, 0};
    outcome = wait_until(side, &past, [](bool) { return false; });
    return outcome == Outcome::timed_out && side.balance <= 0 ? Outcome::reached : outcome;
}

}  // namespace syncspawn::core
