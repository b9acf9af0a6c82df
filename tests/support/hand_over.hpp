#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <syncspawn/barrier/hand_over.hpp>

#include "support/both_sides.hpp"

// Handing a barrier over, as a launcher and its programs do.

namespace syncspawn::testing {

inline constexpr const char* local = "SYNCSPAWN_BARRIER_LOCAL_FD";
inline constexpr const char* remote = "SYNCSPAWN_BARRIER_REMOTE_FD";
inline constexpr const char* hang_up = "SYNCSPAWN_BARRIER_PIPE_FD";
inline constexpr const char* state = "SYNCSPAWN_BARRIER_STATE";
inline constexpr const char* barrier_variables[]{local, remote, hang_up, state};

inline void set(const char* variable, const std::string& value) {
    setenv(variable, value.c_str(), 1);
}
inline void set(const char* variable, int number) { set(variable, std::to_string(number)); }

// Empty if there is no such variable.
inline std::string value_of(const char* variable) {
    const char* value = getenv(variable);
    return value != nullptr ? value : "";
}

inline void expect_no_variables() noexcept {
    for (const char* variable : barrier_variables) {
        expect(getenv(variable) == nullptr);
    }
}

// In a peer: exports the barrier into this process's environment.
inline void export_to_environment(Barrier& side, int lowest_fd = 10) {
    static BarrierEnvironment environment;  // putenv(3) keeps the pointers
    expect_outcome(export_barrier(side, environment, lowest_fd), Outcome::reached);
    for (char* entry :
         {environment.local_fd, environment.remote_fd, environment.pipe_fd, environment.state}) {
        expect(putenv(entry) == 0);
    }
}

// In a peer: a child's side, exported into this process's own environment, so that it may attach.
struct Exported {
    Exported() {
        expect_outcome(barrier.set_role(Role::child), Outcome::reached);
        export_to_environment(barrier);
    }
    Barrier barrier = Barrier::create();
    int other_end = fcntl(barrier.native()->pipe_read_fd, F_DUPFD_CLOEXEC, 10);
};

// Attaches in this process in vain. `variable` is the one that is wrong.
inline void expect_refused(AttachProblem problem, const char* variable,
                           AttachFor whom = AttachFor::this_process, int line = __builtin_LINE(),
                           const char* file = __builtin_FILE()) {
    AttachError error;
    const Barrier attached = attach(error, whom);
    expect(!attached.is_open(), line, file);
    expect_same(static_cast<int>(error.problem()), static_cast<int>(problem), line, file);
    expect_same(error.variable().c_str(), variable, line, file);
    expect(std::string(error.what()).starts_with(variable), line, file);
    expect_no_variables();
}

// Attaches in this process, and gives the descriptors back to the side that was exported.
inline void expect_attached(AttachFor whom = AttachFor::this_process, int line = __builtin_LINE(),
                            const char* file = __builtin_FILE()) {
    AttachError error;
    Barrier attached = attach(error, whom);
    expect_same(error.what(), "no error", line, file);
    expect_no_variables();
    *attached.native() = {};
}

inline void expect_reached_the_end(Peer peer, int line = __builtin_LINE(),
                                   const char* file = __builtin_FILE()) {
    expect_same(peer.ending().c_str(), reached_the_end.c_str(), line, file);
}

// The harness tries one broken hand-over, in a peer of its own.
inline void check_refused(const char* variable, AttachProblem problem,
                          const std::function<void(Exported&)>& break_it) {
    Peer peer([&] {
        Exported exported;
        break_it(exported);
        expect_refused(problem, variable);
    });
    CAPTURE(variable);
    CHECK(peer.ending() == reached_the_end);
}

inline std::string helper(const char* name) {
    return std::string(SYNCSPAWN_TEST_HELPERS "/") + name;
}

// In a peer: becomes this program, with the environment as it is.
[[noreturn]] inline void become(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (const std::string& argument : command) {
        arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    execv(arguments[0], arguments.data());
    _exit(127);
}

// Where a program leaves its output for the harness.
class Output {
public:
    Output() { expect(pipe2(ends_, O_CLOEXEC) == 0); }
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;
    ~Output() {
        close(ends_[0]);
        close(ends_[1]);
    }

    // In a peer: standard output goes there.
    void take_standard_output() const noexcept { expect(dup2(ends_[1], STDOUT_FILENO) >= 0); }
    // What was written, up to what a pipe holds. The writer has ended.
    std::string text() const {
        char buffer[4096];
        expect(fcntl(ends_[0], F_SETFL, O_NONBLOCK) == 0);
        const ssize_t size = read(ends_[0], buffer, sizeof buffer);
        return size > 0 ? std::string(buffer, static_cast<std::size_t>(size)) : "";
    }

private:
    int ends_[2] = {-1, -1};
};

}  // namespace syncspawn::testing
