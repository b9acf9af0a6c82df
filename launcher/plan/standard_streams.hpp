#pragma once

#include <array>
#include <cstddef>
#include <utility>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::detail {

// The caller's ends of the pipes that Stdio::pipe() asks for, of one launch and then of its Process: there
// until somebody takes them out. By number: 0 is the standard input.
class StandardStreams {
public:
    void put(int number, UniqueFd end) noexcept { at(number).end = std::move(end); }
    // Borrowed; -1 if there is none.
    [[nodiscard]] int get(int number) const noexcept {
        return streams_[static_cast<std::size_t>(number)].end.get();
    }
    // Throws std::logic_error if there is none. `whose`: the class that is asked.
    UniqueFd take(int number, const char* whose);
    // All that are there, for the Process.
    [[nodiscard]] StandardStreams hand_over() noexcept;

private:
    struct Stream {
        UniqueFd end{};
        bool is_taken = false;
    };
    Stream& at(int number) noexcept { return streams_[static_cast<std::size_t>(number)]; }

    std::array<Stream, 3> streams_{};
};

}  // namespace syncspawn::detail
