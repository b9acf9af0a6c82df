#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <map>
#include <vector>

#include <syncspawn/sandbox/system_calls.hpp>

// Classic BPF for a filter, as seccomp(2) takes it.

namespace syncspawn::sandbox {

// What is asked at one call, in this order. A choice without a condition is the last.
struct Choice {
    std::vector<ArgumentTest> when{};
    CallAction action{};

    friend bool operator==(const Choice&, const Choice&) = default;
};
using Choices = std::vector<Choice>;

// The choices by number; every other call gets `otherwise`.
struct CallTable {
    std::map<std::uint32_t, Choices> calls{};
    CallAction otherwise{};
    CallAction foreign{};
};

std::vector<sock_filter> code_of(const CallTable& table, std::uint32_t architecture);

}  // namespace syncspawn::sandbox
