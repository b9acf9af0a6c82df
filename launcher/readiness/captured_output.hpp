#pragma once

#include <poll.h>

#include <array>
#include <optional>
#include <string>

#include <syncspawn/barrier/barrier.hpp>

#include "launcher/plan/standard_streams.hpp"

namespace syncspawn::detail {

// The pipes that a program writes to before it is ready, while nobody can read them yet. One that fills is made
// larger, as far as the kernel allows; one that then stays full is found out.
class CapturedOutput {
public:
    explicit CapturedOutput(const StandardStreams& streams) noexcept : streams_(streams) {}

    // There are such pipes: without them there is nothing to do.
    [[nodiscard]] bool is_there() const noexcept;
    // Makes room. If a pipe can hold no more: which, and how much is in it, to follow "the program ".
    std::optional<std::string> look();
    // The first that is written to a pipe tells of itself. From then on there is only the time.
    using Polled = std::array<pollfd, 2>;
    [[nodiscard]] Polled polled() const noexcept;
    [[nodiscard]] std::optional<Deadline> look_again_at() const noexcept;

private:
    struct Seen {
        enum class State {
            quiet,  // nothing was ever in it
            written,
            closed,  // and nobody can write to it any more
        };
        State state = State::quiet;
        int bytes = 0;
        bool is_as_large_as_may_be = false;
        std::optional<Deadline> full_since{};  // and with the same bytes in it
    };
    void look_at(int fd, Seen& seen);
    void make_room(int fd, int size, Seen& seen);
    [[nodiscard]] int stream_of(std::size_t index) const noexcept;

    const StandardStreams& streams_;
    std::array<Seen, 2> seen_{};  // output and error
    Deadline::duration pause_{};
    std::optional<Deadline> next_look_;
};

}  // namespace syncspawn::detail
