#pragma once

#include <cstddef>

#include <syncspawn/barrier.h>

/// What an event loop has to watch for a barrier. A whole loop, with poll(2):
///
///     #include <poll.h>
///     #include <unistd.h>
///
///     #include <syncspawn/barrier.hpp>
///
///     using namespace syncspawn;
///
///     int main() {
///         const auto wait_for = [](BarrierEvents events) {
///             poll(events.data(), events.size(), -1);  // together with whatever else you wait for
///         };
///         BarrierPair pair = Barrier::pair();
///         if (fork() == 0) {
///             Barrier barrier = std::move(pair).child();
///             _exit(barrier.place_and_sync() == Outcome::reached ? 0 : 1);
///         }
///         Barrier barrier = std::move(pair).parent();
///         Outcome outcome = barrier.try_place();
///         for (; outcome == Outcome::timed_out; outcome = barrier.try_place()) {
///             wait_for(barrier.events_for_place());
///         }
///         if (outcome == Outcome::reached) outcome = barrier.try_sync();
///         for (; outcome == Outcome::timed_out; outcome = barrier.try_sync()) {
///             wait_for(barrier.events_for_wait());
///         }
///         return outcome == Outcome::reached ? 0 : 1;
///     }
///
/// Model. A try never blocks. If it says `timed_out`, it cannot go on yet; ask for the events then, wait
/// for any of them, and try again. Which of them came does not matter: the try looks for itself, in the
/// order that loses nothing. Ask anew after each try, since an abort may close a descriptor.
///
/// Other loops. The entries are those of poll(2), and events are level-triggered. An entry without events
/// is the pipe, where only its end counts, which every loop reports unasked.
/// - epoll: EPOLLIN and EPOLLOUT have the values of POLLIN and POLLOUT.
/// - GLib: G_IO_IN and G_IO_OUT do, too; add G_IO_HUP | G_IO_ERR, which g_unix_fd_add() passes on.
/// - libuv: UV_READABLE for POLLIN, UV_WRITABLE for POLLOUT, UV_DISCONNECT for no events; a callback with
///   an error status is an event, too.

namespace syncspawn {

/// A few entries for poll(2): a range of pollfd. It owns nothing, and none of its descriptors is -1.
class BarrierEvents {
public:
    BarrierEvents() noexcept = default;
    explicit BarrierEvents(const syncspawn_barrier_events& events) noexcept : events_(events) {}

    /// The array for poll(2), which writes the answers into it.
    [[nodiscard]] pollfd* data() noexcept { return events_.polled; }
    [[nodiscard]] std::size_t size() const noexcept { return events_.count; }
    [[nodiscard]] const pollfd* begin() const noexcept { return events_.polled; }
    [[nodiscard]] const pollfd* end() const noexcept { return events_.polled + events_.count; }

private:
    syncspawn_barrier_events events_{};
};

}  // namespace syncspawn
