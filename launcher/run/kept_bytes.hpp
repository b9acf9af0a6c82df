#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <syncspawn/launcher/run_options.hpp>

namespace syncspawn::detail {

// The beginning or the end of what a stream has brought, and how much more there was.
class KeptBytes {
public:
    KeptBytes(std::size_t limit, Capture::Keep keep) noexcept : limit_(limit), keep_(keep) {}

    void add(std::string_view bytes);
    [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }
    [[nodiscard]] std::string take();

private:
    void add_at_the_end(std::string_view bytes);

    std::size_t limit_;
    Capture::Keep keep_;
    std::string bytes_;       // with Keep::end, once it is full: a ring
    std::size_t oldest_ = 0;  // where that begins
    std::uint64_t dropped_ = 0;
};

}  // namespace syncspawn::detail
