#include "barrier/linux/bounded_text.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>

using syncspawn::detail::BoundedText;

namespace {

template <class... Pieces>
std::string written(Pieces... pieces) {
    char buffer[64];
    BoundedText text(buffer);
    (text << ... << pieces);
    return text.is_cut() ? "cut" : buffer;
}

}  // namespace

TEST_CASE("bounded text is empty before anything is written") {
    char buffer[4] = {'a', 'b', 'c', 'd'};
    const BoundedText text(buffer);
    CHECK(std::string(buffer).empty());
    CHECK_FALSE(text.is_cut());
}

TEST_CASE("bounded text takes texts, characters and numbers of every kind") {
    CHECK(written("a ", 'b', std::string(" c")) == "a b c");
    CHECK(written(0, ' ', 10, ' ', -10, ' ', 4294967295U) == "0 10 -10 4294967295");
    CHECK(written(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
    CHECK(written(std::numeric_limits<std::int64_t>::max()) == "9223372036854775807");
    CHECK(written(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
    CHECK(written(std::numeric_limits<int>::min()) == "-2147483648");
}

TEST_CASE("bounded text ends with a NUL at the end of its buffer, and says that it was cut") {
    struct {
        char buffer[5];
        char behind = '!';
    } memory;
    SUBCASE("by a text") {
        BoundedText text(memory.buffer);
        text << "abcd";
        CHECK_FALSE(text.is_cut());
        text << "e";
        CHECK(text.is_cut());
        CHECK(std::string(memory.buffer) == "abcd");
    }
    SUBCASE("by a number") {
        BoundedText text(memory.buffer);
        text << -12345;
        CHECK(text.is_cut());
        CHECK(std::string(memory.buffer) == "-123");
    }
    CHECK(memory.behind == '!');
}
