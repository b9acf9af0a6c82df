#include <syncspawn/launcher/terminal_relay.hpp>

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "launcher/result/watch.hpp"
#include "one_way.hpp"

namespace syncspawn {
namespace {

using detail::ForeignEnd;
using detail::RelayBuffer;

// "Try again" is no end; EIO, EPIPE, 0 and whatever else comes is.
bool may_go_on(ssize_t size) noexcept {
    return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

// More than the kernel keeps of what was written to a terminal, which is some 16 KiB.
constexpr std::size_t most_that_is_left = 1U << 17U;

}  // namespace

class TerminalRelay::Relay {
public:
    Relay(int input, int output, int master)
        : input_(input, ForeignEnd::Use::reads),
          output_(output, ForeignEnd::Use::writes),
          master_(master) {
        const int flags = fcntl(master, F_GETFL);
        if (flags < 0 || fcntl(master, F_SETFL, flags | O_NONBLOCK) < 0) {
            throw std::system_error(errno, std::generic_category(), "TerminalRelay: fcntl");
        }
        note_what_to_wait_for();
    }

    bool advance() {
        constexpr int rounds = 16;  // then the other loops have their turn
        for (int round = 0; round < rounds && end_ == RelayEnd::none; ++round) {
            const bool has_typed = type();
            const bool has_shown = show();
            if (!has_typed && !has_shown) {
                break;
            }
        }
        note_what_to_wait_for();
        let_go_of_ends();
        return end_ != RelayEnd::none;
    }
    [[nodiscard]] int descriptor() const noexcept {
        return end_ == RelayEnd::none ? watch_.descriptor() : -1;
    }
    void finish() noexcept {
        is_finishing_ = true;
        stop_typing();
        note_what_to_wait_for();
        let_go_of_ends();
    }
    [[nodiscard]] RelayEnd end() const noexcept { return end_; }

private:
    bool type() noexcept;
    bool show() noexcept;
    void type_the_end() noexcept;
    void stop_typing() noexcept;
    void let_go_of_ends() noexcept;
    bool has_told_everything(ssize_t size) noexcept;
    void note_what_to_wait_for() noexcept;

    ForeignEnd input_;
    ForeignEnd output_;
    int master_;
    detail::Watch watch_{};
    RelayBuffer typed_{};
    RelayBuffer shown_{};
    char last_typed_ = '\n';
    int ends_to_type_ = 0;
    bool is_input_open_ = true;
    bool is_master_closed_ = false;
    bool is_finishing_ = false;
    std::size_t most_to_show_ = most_that_is_left;  // from finish() on
    RelayEnd end_ = RelayEnd::none;
};

void TerminalRelay::Relay::stop_typing() noexcept {
    is_input_open_ = false;
    ends_to_type_ = 0;
    typed_.clear();
}

// Who is at the other end of a pipe learns that nobody reads it, or writes to it, any more.
void TerminalRelay::Relay::let_go_of_ends() noexcept {
    if (!is_input_open_) {
        input_.let_go();
    }
    if (end_ != RelayEnd::none) {
        output_.let_go();
    }
}

// With the program's end, all that it has written is there to be read: in an empty master nothing is left of it. Who has
// the terminal open still may fill that again and again.
bool TerminalRelay::Relay::has_told_everything(ssize_t size) noexcept {
    const std::size_t shown = size > 0 ? static_cast<std::size_t>(size) : 0;
    most_to_show_ -= std::min(shown, most_to_show_);
    return most_to_show_ == 0 || (size < 0 && errno == EAGAIN);
}

// True if something has moved.
bool TerminalRelay::Relay::type() noexcept {
    bool has_moved = false;
    if (typed_.is_empty() && is_input_open_) {
        const ssize_t size =
            typed_.fill([this](char* bytes, std::size_t room) { return input_.read(bytes, room); });
        has_moved = size > 0;
        last_typed_ = size > 0 ? typed_.last() : last_typed_;
        if (!may_go_on(size)) {
            is_input_open_ = false;
            // A line that is not complete: the first one ends that.
            ends_to_type_ = last_typed_ == '\n' ? 1 : 2;
        }
    }
    if (typed_.is_empty() && ends_to_type_ > 0) {
        type_the_end();
    }
    if (!typed_.is_empty()) {
        const ssize_t size = typed_.drain(
            [this](const char* bytes, std::size_t room) { return ::write(master_, bytes, room); });
        if (!may_go_on(size)) {
            typed_.clear();  // show() finds out why
        }
        has_moved = has_moved || size > 0;
    }
    return has_moved;
}

void TerminalRelay::Relay::type_the_end() noexcept {
    termios settings{};
    const bool is_known = tcgetattr(master_, &settings) == 0;
    const bool edits_lines = is_known && (settings.c_lflag & tcflag_t{ICANON}) != 0;
    constexpr char usual = 4;  // ^D
    typed_.put(is_known ? static_cast<char>(settings.c_cc[VEOF]) : usual);
    ends_to_type_ = edits_lines ? ends_to_type_ - 1 : 0;
}

bool TerminalRelay::Relay::show() noexcept {
    bool has_moved = false;
    if (shown_.is_empty() && !is_master_closed_) {
        const ssize_t size = shown_.fill(
            [this](char* bytes, std::size_t room) { return ::read(master_, bytes, room); });
        has_moved = size > 0;
        if (!may_go_on(size) || (is_finishing_ && has_told_everything(size))) {
            is_master_closed_ = true;
            stop_typing();
        }
    }
    if (!shown_.is_empty()) {
        const ssize_t size = shown_.drain(
            [this](const char* bytes, std::size_t room) { return output_.write(bytes, room); });
        if (!may_go_on(size)) {
            end_ = RelayEnd::output_lost;
        }
        has_moved = has_moved || size > 0;
    }
    if (is_master_closed_ && shown_.is_empty() && end_ == RelayEnd::none) {
        end_ = is_finishing_ ? RelayEnd::finished : RelayEnd::terminal_closed;
    }
    if (end_ != RelayEnd::none) {
        stop_typing();
        shown_.clear();
        is_master_closed_ = true;
    }
    return has_moved;
}

// What is written to may hang up, which poll(2) always tells; so nothing is watched that nothing is wanted of.
void TerminalRelay::Relay::note_what_to_wait_for() noexcept {
    std::array<pollfd, 4> wanted{};
    std::size_t count = 0;
    // The same descriptor may be several of them.
    const auto want = [&](int fd, short events) {
        std::size_t index = 0;
        while (index < count && wanted.at(index).fd != fd) {
            ++index;
        }
        pollfd& one = wanted.at(index);
        count = std::max(count, index + 1);
        one.fd = fd;
        one.events = static_cast<short>(one.events | events);
    };
    if (is_input_open_ && typed_.is_empty()) {
        want(input_.fd(), POLLIN);
    }
    if (!shown_.is_empty()) {
        want(output_.fd(), POLLOUT);
    } else if (!is_master_closed_) {
        want(master_, typed_.is_empty() ? POLLIN : POLLIN | POLLOUT);
    }
    const Deadline now{};
    watch_.set_all(std::span(wanted).first(count),
                   is_finishing_ && shown_.is_empty() ? &now : nullptr);
}

TerminalRelay::TerminalRelay(int input, int output, int master)
    : relay_(std::make_unique<Relay>(input, output, master)) {}
TerminalRelay::TerminalRelay(TerminalRelay&&) noexcept = default;
TerminalRelay& TerminalRelay::operator=(TerminalRelay&&) noexcept = default;
TerminalRelay::~TerminalRelay() = default;

bool TerminalRelay::advance() { return relay().advance(); }
int TerminalRelay::descriptor() const { return relay().descriptor(); }
void TerminalRelay::finish() { relay().finish(); }
RelayEnd TerminalRelay::end() const { return relay().end(); }

TerminalRelay::Relay& TerminalRelay::relay() const {
    if (!relay_) {
        throw std::logic_error("TerminalRelay: it is empty");
    }
    return *relay_;
}

}  // namespace syncspawn
