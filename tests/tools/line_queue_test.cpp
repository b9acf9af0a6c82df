#include "tools/report/line_queue.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>

#include <syncspawn/barrier/unique_fd.hpp>

using syncspawn::UniqueFd;
using syncspawn::tools::LineQueue;

namespace {

struct Ends {
    UniqueFd reading;
    UniqueFd writing;
};

Ends make_pipe() {
    std::array<int, 2> ends{};
    REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
    REQUIRE(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Ends make_sockets(int type) {
    std::array<int, 2> ends{};
    REQUIRE(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) == 0);
    REQUIRE(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string read_all(const UniqueFd& file) {
    std::string text;
    std::array<char, 65536> piece{};
    for (;;) {
        const ssize_t size = read(file.get(), piece.data(), piece.size());
        if (size <= 0) {
            return text;
        }
        text.append(piece.data(), static_cast<std::size_t>(size));
    }
}

// As the event loop does.
std::string drain(LineQueue& queue, const UniqueFd& reader) {
    std::string text = read_all(reader);
    while (queue.descriptor() >= 0) {
        pollfd watched{queue.descriptor(), POLLIN, 0};
        REQUIRE(poll(&watched, 1, 10'000) == 1);
        queue.advance();
        text += read_all(reader);
    }
    return text;
}

}  // namespace

TEST_CASE("what a reader takes at once never waits") {
    Ends ends = make_pipe();
    LineQueue queue(ends.writing.get());
    queue.add("one");
    CHECK(queue.descriptor() == -1);
    CHECK(read_all(ends.reading) == "one\n");
}

TEST_CASE("lines longer than a pipe holds come whole and in order") {
    std::array<Ends, 2> both{make_pipe(), make_sockets(SOCK_STREAM)};
    for (Ends& ends : both) {
        LineQueue queue(ends.writing.get());
        const std::string longer(250'000, 'x');
        queue.add(longer);
        queue.add("two");
        CHECK(queue.descriptor() >= 0);
        CHECK(drain(queue, ends.reading) == longer + "\ntwo\n");
    }
}

TEST_CASE("a socket of messages gets a line in each") {
    Ends ends = make_sockets(SOCK_SEQPACKET);
    LineQueue queue(ends.writing.get());
    queue.add("one");
    queue.add("two");
    std::array<char, 16> message{};
    CHECK(read(ends.reading.get(), message.data(), message.size()) == 4);
    CHECK(read(ends.reading.get(), message.data(), message.size()) == 4);
}

TEST_CASE("what there is no room for is counted") {
    Ends ends = make_pipe();
    LineQueue queue(ends.writing.get());
    const std::string line(50'000, 'x');
    for (int count = 0; count < 9; ++count) {
        queue.add(line);
    }
    const std::string text = drain(queue, ends.reading);
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) - 1;
    CHECK(lines >= 5);
    CHECK(text.ends_with("\n{\"event\":\"lost\",\"count\":" + std::to_string(9 - lines) + "}\n"));
    queue.add("after");
    CHECK(read_all(ends.reading) == "after\n");
}

TEST_CASE("a reader that is gone raises no signal, and nothing waits for it any more") {
    std::array<Ends, 2> both{make_pipe(), make_sockets(SOCK_STREAM)};
    for (Ends& ends : both) {
        LineQueue queue(ends.writing.get());
        queue.add(std::string(250'000, 'x'));
        ends.reading.reset();
        queue.advance();
        queue.add("two");
        CHECK(queue.descriptor() == -1);
    }
}

TEST_CASE("the end of a queue comes, whatever the reader does") {
    Ends ends = make_pipe();
    LineQueue queue(ends.writing.get());
    queue.add(std::string(250'000, 'x'));
    queue.finish(std::chrono::milliseconds(1));
    CHECK(queue.descriptor() >= 0);
}
