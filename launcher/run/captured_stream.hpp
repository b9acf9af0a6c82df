#pragma once

#include <poll.h>

#include <cstdint>
#include <span>
#include <string>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/run_options.hpp>

#include "barrier/linux/waiting.hpp"
#include "kept_bytes.hpp"

namespace syncspawn::detail {

// A stream that a program of a run writes to: read without waiting, kept as far as was asked for.
class CapturedStream {
public:
    // Nothing is read before there is a pipe. The options are borrowed.
    explicit CapturedStream(const Capture& capture) noexcept
        : capture_(&capture), kept_(capture.limit, capture.keep) {}

    // The reading end.
    void open(UniqueFd end);
    [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(end_); }
    [[nodiscard]] pollfd event() const noexcept { return readable(end_.get()); }
    void close() noexcept { end_.reset(); }

    enum class Answer {
        empty,  // for now
        more,   // there may be some: enough for one pass
        end     // and it is time to close it
    };
    // Reads what is there, by way of the buffer. What `receive` throws passes through.
    Answer read(std::span<char> buffer);
    // From now on the bytes are just kept.
    void receive_no_more() noexcept { may_receive_ = false; }

    // There was more than its limit, and that is to end the run.
    [[nodiscard]] bool is_too_full() const noexcept {
        return kept_.dropped() > 0 && capture_->when_full == Capture::WhenFull::stop;
    }
    [[nodiscard]] std::uint64_t dropped() const noexcept { return kept_.dropped(); }
    [[nodiscard]] std::string take_kept() { return kept_.take(); }
    // The last bytes of all, kept or not.
    [[nodiscard]] std::string take_last_words() { return last_words_.take(); }

private:
    void take_in(std::string_view bytes);

    const Capture* capture_;
    UniqueFd end_;
    bool may_receive_ = true;
    KeptBytes kept_;
    KeptBytes last_words_{4096, Capture::Keep::end};
};

}  // namespace syncspawn::detail
