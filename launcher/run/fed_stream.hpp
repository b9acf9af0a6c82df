#pragma once

#include <poll.h>

#include <cstddef>
#include <functional>
#include <string>

#include <syncspawn/barrier/unique_fd.hpp>

#include "barrier/linux/waiting.hpp"

namespace syncspawn::detail {

// The standard input of a run's first program, written without waiting from what a source yields.
class FedStream {
public:
    // The source is borrowed.
    explicit FedStream(const std::function<std::string()>& source) noexcept : source_(&source) {}

    // The writing end.
    void open(UniqueFd end);
    [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(end_); }
    [[nodiscard]] pollfd event() const noexcept { return {end_.get(), POLLOUT, 0}; }
    void close() noexcept { end_.reset(); }
    // From now on there is no more, and it is at its end.
    void ask_no_more() noexcept { may_ask_ = false; }

    enum class Answer {
        full,  // for now, or enough for one pass
        end    // the source has no more, or nobody reads any more: it is time to close it
    };
    // What the source throws passes through.
    Answer write();

private:
    const std::function<std::string()>* source_;
    UniqueFd end_;
    bool may_ask_ = true;
    std::string piece_;
    std::size_t written_ = 0;  // of it
};

}  // namespace syncspawn::detail
