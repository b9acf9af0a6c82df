#include "look.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

#include "barrier/linux/newer_calls.hpp"
#include "barrier/linux/time_left.hpp"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008  // not in every C library
#endif

namespace syncspawn::core {
namespace {

// The one list of what can end a wait. The kernel looks in this order (do_poll in fs/select.c): at the
// witnesses of death first, at the count second.
constexpr nfds_t polled_for_count = 3;
constexpr nfds_t polled_for_room = 4;

struct Polled {
    pollfd entries[polled_for_room];
    nfds_t count;
};

Polled polled_for(Side& side, Wanted wanted) noexcept {
    return {{{side.peer_pidfd, POLLIN, 0},
             {own_pipe_end(side), 0, 0},
             {side.remote_fd, POLLIN, 0},
             {side.local_fd, POLLOUT, 0}},
            wanted == Wanted::count ? polled_for_count : polled_for_room};
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

}  // namespace

void add_saturating(std::int64_t& value, std::int64_t summand) noexcept {
    if (__builtin_add_overflow(value, summand, &value)) {
        value = summand > 0 ? std::numeric_limits<std::int64_t>::max()
                            : std::numeric_limits<std::int64_t>::min();
    }
}

void latch(Side& side, int bit) noexcept {
    __atomic_fetch_or(&side.abort_state, bit, __ATOMIC_RELAXED);
}

Look look(Side& side, Wanted wanted, const timespec* deadline) noexcept {
    const int known = side.abort_state;
    Polled polled = polled_for(side, wanted);
    const auto& watched = polled.entries;
    Look seen;
    int found = 0;
    do {
        timespec left{};
        if (deadline != nullptr) {
            left = detail::time_left(*deadline);
            seen.is_last = left.tv_sec == 0 && left.tv_nsec == 0;
        }
        const timespec* const limit = deadline != nullptr ? &left : nullptr;
        found = ppoll(polled.entries, polled.count, limit, nullptr);
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

void list_events(const Side& side, Wanted wanted, syncspawn_barrier_events& events) noexcept {
    events = {};
    if (side.is_open == 0 || side.role == SYNCSPAWN_NO_ROLE || side.failure != 0) {
        return;
    }
    Side copy = side;
    const Polled polled = polled_for(copy, wanted);
    for (nfds_t index = 0; index < polled.count; ++index) {
        if (polled.entries[index].fd >= 0) {
            events.polled[events.count++] = polled.entries[index];
        }
    }
}

}  // namespace syncspawn::core
