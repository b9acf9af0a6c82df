#pragma once

#include <sys/types.h>

#include <exception>
#include <string>
#include <type_traits>

#include "support/shared.hpp"
#include "support/skip.hpp"

// Forked processes that play a part in a test. They never use CHECK: they end themselves by
// expect(), and the harness, which only observes, asks how they ended:
//
//     Peer peer([] { expect(answer() == 42); });
//     CHECK(peer.ending() == reached_the_end);

namespace syncspawn::testing {

// Exit statuses of peers and of the programs in tests/helpers.
inline constexpr int status_reached = 42;   // did all it had to
inline constexpr int status_expected = 43;  // an expectation did not hold
inline constexpr int status_thrown = 44;    // an exception came out
inline constexpr int status_left_out = 45;  // this machine cannot run it

inline const std::string reached_the_end = "reached the end";  // what Peer::ending() says of 42

// A peer that is still there after watchdog_seconds is killed by the kernel (SIGALRM), so that a bug
// that makes it wait for ever is a failure and not a hang. Generous: it is never meant to be reached.

// In a peer: ends it with status_expected unless `holds`. The harness learns the place.
void expect(bool holds, int line = __builtin_LINE(), const char* file = __builtin_FILE()) noexcept;
void expect_same(long long actual, long long expected, int line = __builtin_LINE(),
                 const char* file = __builtin_FILE()) noexcept;
void expect_same(const char* actual, const char* expected, int line = __builtin_LINE(),
                 const char* file = __builtin_FILE()) noexcept;

// In a peer: ends it, for this machine cannot run it. The harness uses CHECK_REACHED_THE_END_OR_SKIP.
[[noreturn]] void leave_out_here(const char* reason) noexcept;

class Peer {
public:
    // Forks; the child runs `body` and leaves by _exit(status_reached).
    template <class Body>
    explicit Peer(Body body) {
        if (fork_self()) {
            try {
                body();
            } catch (const std::exception& error) {
                leave_thrown(error.what());
            }
            leave_reached();
        }
    }
    Peer(Peer&& other) noexcept;
    Peer& operator=(Peer&&) = delete;
    // Kills the peer if it is still there.
    ~Peer();

    pid_t pid() const noexcept { return pid_; }
    void send(int signal) const noexcept;
    // Waits for its end, once; the wait status stays known.
    int wait_status();
    // Waits for its end and says how it was.
    std::string ending();
    // Waits for its end; the reason if it ended by leave_out_here(), else empty.
    std::string left_out();

private:
    struct Report {
        char text[480];
    };
    friend void leave_out_here(const char* reason) noexcept;
    friend void report_failure(const char* text, const char* file, int line) noexcept;

    bool fork_self();
    [[noreturn]] static void leave_reached() noexcept;
    [[noreturn]] static void leave_thrown(const char* what) noexcept;

    static Report* report_of_this_process;

    Shared<Report> report_;
    pid_t pid_ = -1;
    bool is_reaped_ = false;
    int wait_status_ = 0;
};

// Ends the test case early where the peer found that this machine cannot run it.
#define CHECK_REACHED_THE_END_OR_SKIP(peer)                              \
    if (const std::string reason = (peer).left_out(); !reason.empty()) { \
        SKIP_TEST(reason);                                               \
    }                                                                    \
    CHECK((peer).ending() == reached_the_end)

}  // namespace syncspawn::testing
