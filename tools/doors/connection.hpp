#pragma once

#include <cstdint>

#include <syncspawn/barrier/unique_fd.hpp>

#include "one_way.hpp"
#include "outside_address.hpp"

namespace syncspawn::tools {

// One that came through a door: a socket of the program, and one that leads to the server outside.
class Connection {
public:
    // One end, watched in an epoll: for one event at a time, or one that has hung up would wake for ever.
    struct End {
        UniqueFd socket{};
        std::uint32_t watched = 0;  // events that will be told
    };

    enum class State { unconnected, connecting, passing, refused, over };

    explicit Connection(UniqueFd inside) noexcept;

    // Begins to connect. The state is `unconnected` still if it is to be tried again, which a unix socket
    // asks for while too many wait there; `refused` leaves errno.
    void connect_to(const OutsideAddress& address);
    // After an event of either end. A refusal leaves errno.
    void advance();

    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] bool is_over() const noexcept {
        return state_ == State::refused || state_ == State::over;
    }
    // All that the program has sent has gone out.
    [[nodiscard]] bool has_sent_all() const noexcept { return is_over() || outwards_.is_done(); }

    [[nodiscard]] End& inside() noexcept { return inside_; }
    [[nodiscard]] End& outside() noexcept { return outside_; }
    // The events that each waits for.
    [[nodiscard]] std::uint32_t wanted_inside() const noexcept;
    [[nodiscard]] std::uint32_t wanted_outside() const noexcept;

private:
    void begin_to_pass() noexcept;
    void break_off() noexcept;

    End inside_;
    End outside_{};
    OneWay outwards_{-1, -1};
    OneWay inwards_{-1, -1};
    State state_ = State::unconnected;
};

}  // namespace syncspawn::tools
