#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace syncspawn::sandbox {

using FilterCode = std::vector<sock_filter>;

bool is_same(const FilterCode& left, const FilterCode& right);

// What is done at calls with numbers from `first` on, up to the next range.
struct CallRange {
    std::uint32_t first = 0;
    FilterCode code{};
};

// Code that finds the range of the number that is loaded. The kernel translates the filter at every launch, and then
// runs it for each call that it knows, to find those that are always allowed. So both count: how many instructions
// there are, and how many lead to an answer.
//
// It is written from its end to its beginning, since jumps lead forward only.
class CallSearch {
public:
    explicit CallSearch(sock_filter usual_answer) : usual_{usual_answer} {}

    FilterCode code_for(std::span<const CallRange> ranges) &&;

private:
    using Position = std::size_t;  // of an instruction, 1 for the last one

    [[nodiscard]] Position here() const { return backwards_.size(); }
    Position push(sock_filter instruction);
    Position far_jump(Position target);
    Position branch(unsigned kind, std::uint32_t value, Position if_true, Position if_false);
    Position add(const FilterCode& code);
    Position add(std::span<const CallRange> ranges, std::uint32_t end);
    [[nodiscard]] bool is_row(std::span<const CallRange> ranges) const;
    Position add_row(std::span<const CallRange> ranges);
    [[nodiscard]] std::size_t middle_of(std::span<const CallRange> ranges, std::uint32_t end) const;

    FilterCode usual_;
    FilterCode backwards_{};
    std::map<std::uint32_t, Position> answers_{};
};

}  // namespace syncspawn::sandbox
