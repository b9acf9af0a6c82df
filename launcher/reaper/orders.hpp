#pragma once

// What the launcher tells the reaper: a queued signal (sigqueue(3)) whose value is an order. Also included by
// the reaper itself, which has no C library.

namespace syncspawn::detail {

// To whom it is to send.
enum class Whom : int { program = 1, group = 2 };

struct Order {
    Whom whom;
    int signal;
};

// Not by chance the value of anybody's signal.
constexpr int mark_of_orders = 0x53590000;

constexpr int value_of(Order order) noexcept {
    return mark_of_orders | static_cast<int>(order.whom) << 8 | order.signal;
}

constexpr bool is_order(int value) noexcept {
    return (value & ~0x3ff) == mark_of_orders && (value & 0x300) != 0 && (value & 0x300) != 0x300;
}

constexpr Order order_of(int value) noexcept {
    return {static_cast<Whom>(value >> 8 & 3), value & 0xff};
}

// The signal that carries an order. A real-time one, whichever the order is about: those wait in a queue, in their order,
// where the kernel drops a second standard signal of the same number.
constexpr int carrier_of_orders = 64;

// The descriptors that it begins with.
constexpr int reapers_status_pipe = 0;
constexpr int reapers_launcher = 1;  // a pidfd, only if it is tied to that

// Its arguments: the program's pid, and some of these letters.
constexpr char mode_tied = 't';   // it ends with the launcher
constexpr char mode_lasts = 'l';  // it ends with the last process

}  // namespace syncspawn::detail
