#pragma once

#include <cstddef>
#include <vector>

namespace syncspawn::tools {

// One direction of a connection: what comes in here goes out there. It reads only when all that it has read is
// written, so the slower side sets the pace.
class OneWay {
public:
    // Both are sockets that do not block. Borrowed.
    OneWay(int from, int to) noexcept : from_(from), to_(to) {}

    // Passes bytes on, not more than its share. False: they are cut off where they come from.
    bool pump();

    [[nodiscard]] bool wants_to_read() const noexcept { return is_empty() && !has_read_all_; }
    [[nodiscard]] bool wants_to_write() const noexcept { return !is_empty(); }
    // The end, too, was passed on; or nobody wants any more.
    [[nodiscard]] bool is_done() const noexcept { return is_shut_; }

private:
    enum class Answer { goes_on, not_now, is_broken };

    [[nodiscard]] bool is_empty() const noexcept { return begin_ == end_; }
    Answer read_some();
    Answer write_some();
    void give_up();

    int from_;
    int to_;
    std::vector<char> bytes_{};  // has room while something is to be written
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    bool has_read_all_ = false;
    bool is_shut_ = false;
};

}  // namespace syncspawn::tools
