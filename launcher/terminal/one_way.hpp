#pragma once

#include <array>
#include <cstddef>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::detail {

// A descriptor of somebody else, to be read or written without waiting. Its flags are shared with others and stay as
// they are: what is used is a second opening of the same terminal or pipe. Where that cannot be had, poll(2) is asked
// before each call.
class ForeignEnd {
public:
    enum class Use { reads, writes };
    ForeignEnd(int borrowed, Use use) noexcept;
    [[nodiscard]] int fd() const noexcept { return own_ ? own_.get() : borrowed_; }
    // The numbers of bytes, 0 at the end of the input, -1 and EAGAIN for "not now".
    ssize_t read(char* bytes, std::size_t size) const noexcept;
    ssize_t write(const char* bytes, std::size_t size) const noexcept;
    // It is not used any more.
    void let_go() noexcept { own_.reset(); }

private:
    int borrowed_;
    UniqueFd own_;
};

// What was read and not written yet. Filled only when it is empty, so the slower side sets the pace.
class RelayBuffer {
public:
    [[nodiscard]] bool is_empty() const noexcept { return begin_ == end_; }
    void clear() noexcept { begin_ = end_ = 0; }
    // As read(2) and write(2), whose functions these are.
    template <class Read>
    ssize_t fill(Read read) noexcept {
        const ssize_t size = read(bytes_.data(), bytes_.size());
        begin_ = 0;
        end_ = size > 0 ? static_cast<std::size_t>(size) : 0;
        return size;
    }
    template <class Write>
    ssize_t drain(Write write) noexcept {
        const ssize_t size = write(bytes_.data() + begin_, end_ - begin_);
        begin_ += size > 0 ? static_cast<std::size_t>(size) : 0;
        return size;
    }
    void put(char byte) noexcept {
        begin_ = 0;
        bytes_[0] = byte;
        end_ = 1;
    }
    [[nodiscard]] char last() const noexcept { return end_ == 0 ? '\n' : bytes_[end_ - 1]; }

private:
    static constexpr std::size_t room = 8192;
    std::array<char, room> bytes_{};
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace syncspawn::detail
