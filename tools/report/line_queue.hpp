#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::tools {

// Lines on their way to a descriptor whose reader may be slow, or gone. Nothing here waits for it but finish().
// The flags of the descriptor stay as they are, for others may write to it, too.
class LineQueue {
public:
    explicit LineQueue(int fd);

    // Without its newline. A line for which there is no room is lost, and a later one says how many were:
    // {"event":"lost","count":3}.
    void add(std::string line);
    // Writes what can be written now.
    void advance();
    // Readable when advance() has something to do; -1: nothing now.
    [[nodiscard]] int descriptor() const { return lines_.empty() ? -1 : writable_.get(); }
    // For so long at most.
    void finish(std::chrono::nanoseconds within);

private:
    enum class Kind { file, socket, stream };

    // Like write(2), but does not wait: then it is EAGAIN.
    [[nodiscard]] ssize_t write_some(const std::string& text) const;
    void push(std::string line);
    void tell_of_lost();

    UniqueFd fd_;
    Kind kind_ = Kind::stream;
    UniqueFd writable_;              // an epoll descriptor
    std::deque<std::string> lines_;  // the first one as far as it is not written
    std::size_t bytes_ = 0;          // of all of them
    std::int64_t lost_ = 0;
};

}  // namespace syncspawn::tools
