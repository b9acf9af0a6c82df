#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>

// Holds a peer between two of its system calls, for tests of what may happen in between.

namespace syncspawn::testing {

// In a peer: asks to be traced, and stops until a Tracer goes on.
void stop_for_tracer() noexcept;

class Tracer {
public:
    // The peer comes to, or is in, stop_for_tracer().
    explicit Tracer(pid_t pid) noexcept;
    // Runs the peer until it has done this system call; false if it ended before.
    bool run_to_exit_of(long system_call) noexcept;
    // What that system call was given.
    const std::array<unsigned long, 6>& arguments() const noexcept { return arguments_; }
    // Copies from the peer's memory; false where there is none.
    bool read_memory(unsigned long address, void* buffer, std::size_t size) const noexcept;
    // Lets the peer run on, untraced.
    void let_go() const noexcept;

private:
    pid_t pid_;
    std::array<unsigned long, 6> arguments_{};
};

}  // namespace syncspawn::testing
