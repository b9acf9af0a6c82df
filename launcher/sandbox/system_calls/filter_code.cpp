#include "filter_code.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <iterator>
#include <span>
#include <tuple>
#include <utility>

// Jumps are relative, so a piece of code may be put anywhere. A conditional one reaches 255 instructions.

namespace syncspawn::sandbox {
namespace {

using Code = std::vector<sock_filter>;
using Comparison = ArgumentTest::Comparison;

constexpr std::size_t longest_jump = 255;

sock_filter load(std::size_t offset) {
    return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
sock_filter give(CallAction action) { return BPF_STMT(BPF_RET | BPF_K, action.value); }
sock_filter jump(unsigned kind, std::uint32_t value, std::size_t if_true, std::size_t if_false) {
    return BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | kind | BPF_K), value,
                    static_cast<std::uint8_t>(if_true), static_cast<std::uint8_t>(if_false));
}

void append(Code& code, const Code& more) { code.insert(code.end(), more.begin(), more.end()); }

// Loads one half of an argument, and leaves the bits that count.
void load_half(Code& code, const ArgumentTest& test, bool is_high) {
    const bool is_second = is_high == (std::endian::native == std::endian::little);
    code.push_back(load(offsetof(seccomp_data, args) + test.argument * sizeof(std::uint64_t) +
                        (is_second ? sizeof(std::uint32_t) : 0)));
    const auto mask = static_cast<std::uint32_t>(is_high ? test.mask >> 32U : test.mask);
    if (mask != UINT32_MAX) {
        code.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
    }
}

// How a comparison is made: by this jump on the lower halves if the upper ones are equal, and with the other
// answer if it is negated.
struct Way {
    unsigned lower_jump;
    bool is_about_order;
    bool is_negated;
};
Way way_of(Comparison comparison) {
    switch (comparison) {
        case Comparison::equal:
            return {BPF_JEQ, false, false};
        case Comparison::not_equal:
            return {BPF_JEQ, false, true};
        case Comparison::greater:
            return {BPF_JGT, true, false};
        case Comparison::greater_or_equal:
            return {BPF_JGE, true, false};
        case Comparison::less:
            return {BPF_JGE, true, true};
        case Comparison::less_or_equal:
            return {BPF_JGT, true, true};
    }
    return {};
}

// Falls through at its end if the condition holds, else goes on `rest` instructions later.
Code code_of(const ArgumentTest& test, std::size_t rest) {
    const Way way = way_of(test.comparison);
    const std::size_t if_true = way.is_negated ? rest : 0;
    const std::size_t if_false = way.is_negated ? 0 : rest;
    Code lower;
    load_half(lower, test, /*is_high=*/false);
    lower.push_back(
        jump(way.lower_jump, static_cast<std::uint32_t>(test.value), if_true, if_false));
    const auto high = static_cast<std::uint32_t>(test.value >> 32U);
    if (test.mask <= UINT32_MAX && high == 0) {
        return lower;
    }
    Code code;
    load_half(code, test, /*is_high=*/true);
    if (way.is_about_order) {
        code.push_back(jump(BPF_JGT, high, lower.size() + 1 + if_true, 0));
    }
    code.push_back(jump(BPF_JEQ, high, 0, lower.size() + if_false));
    append(code, lower);
    return code;
}

Code code_of(const Choice& choice) {
    Code rest{give(choice.action)};
    for (std::size_t left = choice.when.size(); left != 0; --left) {
        Code test = code_of(choice.when[left - 1], rest.size());
        append(test, rest);
        rest = std::move(test);
    }
    return rest;
}

// Calls with numbers from `first` on, up to the next range.
struct Range {
    std::uint32_t first = 0;
    Code code{};
};

Code search(std::span<const Range> ranges) {
    if (ranges.size() == 1) {
        return ranges.front().code;
    }
    const std::size_t middle = ranges.size() / 2;
    const Code below = search(ranges.first(middle));
    Code code;
    if (below.size() <= longest_jump) {
        code.push_back(jump(BPF_JGE, ranges[middle].first, below.size(), 0));
    } else {
        code.push_back(jump(BPF_JGE, ranges[middle].first, 0, 1));
        code.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(below.size())));
    }
    append(code, below);
    append(code, search(ranges.subspan(middle)));
    return code;
}

bool is_same(const Code& left, const Code& right) {
    const auto as_tuple = [](const sock_filter& one) {
        return std::tuple(one.code, one.jt, one.jf, one.k);
    };
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [&](const sock_filter& one, const sock_filter& other) {
                          return as_tuple(one) == as_tuple(other);
                      });
}

class Ranges {
public:
    void begin(std::uint32_t first, Code code) {
        if (!ranges_.empty() && ranges_.back().first == first) {
            ranges_.pop_back();
        }
        if (ranges_.empty() || !is_same(ranges_.back().code, code)) {
            ranges_.push_back({first, std::move(code)});
        }
    }
    [[nodiscard]] const std::vector<Range>& all() const { return ranges_; }

private:
    std::vector<Range> ranges_;
};

Code choose(const CallTable& table) {
    Ranges ranges;
    ranges.begin(0, {give(table.otherwise)});
    for (const auto& [number, choices] : table.calls) {
        Code code;
        for (const Choice& choice : choices) {
            append(code, code_of(choice));
        }
        if (choices.empty() || !choices.back().when.empty()) {
            code.push_back(give(table.otherwise));
        }
        ranges.begin(number, std::move(code));
        ranges.begin(number + 1, {give(table.otherwise)});
    }
    return search(ranges.all());
}

// x86-64 has the calls of x32 beside its own: with this bit set, though not in -1, which is what a tracer
// puts in place of a call that it suppresses.
constexpr std::uint32_t x32_bit = 0x40000000;
constexpr std::uint32_t no_call = UINT32_MAX;

}  // namespace

std::vector<sock_filter> code_of(const CallTable& table, std::uint32_t architecture) {
    Code code{load(offsetof(seccomp_data, arch)), jump(BPF_JEQ, architecture, 1, 0),
              give(table.foreign), load(offsetof(seccomp_data, nr))};
    if (architecture == AUDIT_ARCH_X86_64) {
        append(code,
               {jump(BPF_JGE, x32_bit, 0, 2), jump(BPF_JEQ, no_call, 1, 0), give(table.foreign)});
    }
    append(code, choose(table));
    return code;
}

}  // namespace syncspawn::sandbox
