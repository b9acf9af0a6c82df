#include "call_search.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace syncspawn::sandbox {
namespace {

constexpr std::size_t longest_jump = 255;
// Calls to be told from the usual ones, asked for one after the other: one instruction each, where the tree takes two.
constexpr std::size_t most_in_row = 3;
// No kernel has more calls yet.
constexpr std::uint32_t numbers = 512;

// How many calls the kernel asks about from one number to another.
std::uint32_t calls_in(std::uint32_t first, std::uint32_t end) {
    return std::min(end, numbers) - std::min(first, numbers);
}

}  // namespace

bool is_same(const FilterCode& left, const FilterCode& right) {
    const auto as_tuple = [](const sock_filter& one) {
        return std::tuple(one.code, one.jt, one.jf, one.k);
    };
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [&](const sock_filter& one, const sock_filter& other) {
                          return as_tuple(one) == as_tuple(other);
                      });
}

FilterCode CallSearch::code_for(std::span<const CallRange> ranges) && {
    const Position entry = add(ranges, UINT32_MAX);
    if (entry != here()) {
        far_jump(entry);
    }
    std::reverse(backwards_.begin(), backwards_.end());
    return std::move(backwards_);
}

CallSearch::Position CallSearch::push(sock_filter instruction) {
    backwards_.push_back(instruction);
    return here();
}

CallSearch::Position CallSearch::far_jump(Position target) {
    return push(BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(here() - target)));
}

CallSearch::Position CallSearch::branch(unsigned kind, std::uint32_t value, Position if_true,
                                        Position if_false) {
    if (here() - if_true > longest_jump || here() - if_false > longest_jump) {
        if_true = far_jump(if_true);
        if_false = far_jump(if_false);
    }
    return push(BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | kind | BPF_K), value,
                         static_cast<std::uint8_t>(here() - if_true),
                         static_cast<std::uint8_t>(here() - if_false)));
}

// A lone answer is there once, for all who are near.
CallSearch::Position CallSearch::add(const FilterCode& code) {
    if (code.size() == 1) {
        Position& known = answers_[code.front().k];
        if (known == 0 || here() - known > longest_jump / 2) {
            known = push(code.front());
        }
        return known;
    }
    std::for_each(code.rbegin(), code.rend(), [this](const sock_filter& one) { push(one); });
    return here();
}

CallSearch::Position CallSearch::add(std::span<const CallRange> ranges, std::uint32_t end) {
    if (ranges.size() == 1) {
        return add(ranges.front().code);
    }
    if (is_row(ranges)) {
        return add_row(ranges);
    }
    const std::size_t middle = middle_of(ranges, end);
    const std::uint32_t first_above = ranges[middle].first;
    const Position above = add(ranges.subspan(middle), end);
    const Position below = add(ranges.first(middle), first_above);
    return branch(BPF_JGE, first_above, above, below);
}

bool CallSearch::is_row(std::span<const CallRange> ranges) const {
    if (ranges.size() % 2 == 0 || ranges.size() > 2 * most_in_row + 1) {
        return false;
    }
    for (std::size_t at = 0; at < ranges.size(); ++at) {
        const bool is_one_of_them = at % 2 == 0 ? is_same(ranges[at].code, usual_)
                                                : ranges[at + 1].first == ranges[at].first + 1;
        if (!is_one_of_them) {
            return false;
        }
    }
    return true;
}

CallSearch::Position CallSearch::add_row(std::span<const CallRange> ranges) {
    Position next = add(usual_);
    for (std::size_t at = ranges.size() - 1; at > 0; at -= 2) {
        const Position answer = add(ranges[at - 1].code);
        next = branch(BPF_JEQ, ranges[at - 1].first, answer, next);
    }
    return next;
}

// As many calls below as above. At the beginning of a usual range, so that the single numbers before it stay
// single.
std::size_t CallSearch::middle_of(std::span<const CallRange> ranges, std::uint32_t end) const {
    const std::uint32_t begin = ranges.front().first;
    std::size_t middle = ranges.size() / 2;
    std::uint32_t least = UINT32_MAX;
    for (std::size_t at = 1; at < ranges.size(); ++at) {
        const std::uint32_t below = calls_in(begin, ranges[at].first);
        const std::uint32_t above = calls_in(ranges[at].first, end);
        const std::uint32_t difference = std::max(below, above) - std::min(below, above);
        if (is_same(ranges[at].code, usual_) && difference < least) {
            middle = at;
            least = difference;
        }
    }
    return middle;
}

}  // namespace syncspawn::sandbox
