#include "filter_code.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <span>
#include <utility>

#include "call_search.hpp"

// Jumps are relative, so a piece of code may be put anywhere.

namespace syncspawn::sandbox {
namespace {

using Code = FilterCode;
using Comparison = ArgumentTest::Comparison;

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
    [[nodiscard]] const std::vector<CallRange>& all() const { return ranges_; }

private:
    std::vector<CallRange> ranges_;
};

// x86-64 has the calls of x32 beside its own: with this bit set, though not in -1, which is what a tracer
// puts in place of a call that it suppresses.
constexpr std::uint32_t x32_bit = 0x40000000;
constexpr std::uint32_t no_call = UINT32_MAX;

Code choose(const CallTable& table, std::uint32_t architecture) {
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
    if (architecture == AUDIT_ARCH_X86_64) {
        ranges.begin(x32_bit, {give(table.foreign)});
        ranges.begin(no_call, {give(table.otherwise)});
    }
    return CallSearch(give(table.otherwise)).code_for(ranges.all());
}

}  // namespace

std::vector<sock_filter> code_of(const CallTable& table, std::uint32_t architecture) {
    Code code{load(offsetof(seccomp_data, arch)), jump(BPF_JEQ, architecture, 1, 0),
              give(table.foreign), load(offsetof(seccomp_data, nr))};
    append(code, choose(table, architecture));
    return code;
}

}  // namespace syncspawn::sandbox
