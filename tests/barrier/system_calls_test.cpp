// The library makes the same system calls as the same thing written by hand, and no more.

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <map>
#include <set>
#include <sstream>

#include "support/observe.hpp"
#include "support/peer.hpp"
#include "support/sanitizers.hpp"
#include "support/skip.hpp"

using namespace syncspawn::testing;

namespace {

// Sanitizers map memory when a descriptor is first used.
bool is_of_a_sanitizer(const std::string& call) {
    return is_sanitized && (call == "mmap" || call == "madvise");
}

// How often each call comes between the marks (getppid) of every process of a trace.
std::string calls_between_marks(const std::string& trace) {
    std::map<std::string, int> calls;
    std::set<std::string> marked;
    std::istringstream lines(trace);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string process, call;
        words >> process;
        std::getline(words >> std::ws, call, '(');
        if (call == "getppid") {
            if (!marked.insert(process).second) {
                marked.erase(process);
            }
        } else if (marked.contains(process) && call.find_first_of("<+ ") == std::string::npos &&
                   !is_of_a_sanitizer(call)) {
            ++calls[call];
        }
    }
    std::string text;
    for (const auto& [call, times] : calls) {
        text += call + " " + std::to_string(times) + ", ";
    }
    return text.substr(0, text.size() - (text.empty() ? 0 : 2));
}

std::string calls_of(const char* whose, const std::string& what) {
    const int file = memfd_create("trace", 0);
    REQUIRE(file >= 0);
    const std::string path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(file);
    Peer tracer([&] {
        execlp("strace", "strace", "-f", "-qq", "-o", path.c_str(),
               SYNCSPAWN_TEST_HELPERS "/system_calls", whose, what.c_str(), nullptr);
        _exit(127);
    });
    CHECK(tracer.ending() == reached_the_end);  // strace ends as the program does
    std::string calls = calls_between_marks(read_file(path));
    close(file);
    return calls;
}

void check_same_calls(const std::string& what, const std::string& expected) {
    CAPTURE(what);
    const std::string ours = calls_of("ours", what);
    CHECK(ours == expected);
    CHECK(ours == calls_of("bare", what));
}

bool is_strace_there() {
    Peer peer([] {
        execlp("strace", "strace", "-o", "/dev/null", "true", nullptr);
        _exit(127);
    });
    return peer.wait_status() == 0;
}

}  // namespace

TEST_CASE("the barrier makes the system calls that the same thing written bare makes") {
    if (!is_strace_there()) {
        SKIP_TEST("there is no strace that may trace");
    }
    // Twenty rounds on each of two sides. Not a race: nobody begins a round before the other ended the
    // last one, for which each side writes and reads a byte: 40 of the calls in each line.
    check_same_calls("satisfied_sync", "read 40, write 40");
    check_same_calls("place", "read 40, write 80");
    check_same_calls("ready_wait", "ppoll 40, preadv2 20, read 60, write 80");
    check_same_calls("rendezvous", "ppoll 40, preadv2 20, read 60, write 80");
}
