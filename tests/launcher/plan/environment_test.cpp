#include <syncspawn/launcher/environment.hpp>

#include <doctest/doctest.h>

#include <array>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace syncspawn;

namespace {

using Entries = std::vector<std::string>;

// As many as an environment has before it keeps an index, and more.
constexpr int many = 200;

Environment of_many() {
    Environment environment;
    for (int number = 0; number < many; ++number) {
        environment.set("N" + std::to_string(number), "old");
    }
    return environment;
}

}  // namespace

TEST_CASE("the name of an environment variable is checked when it is set") {
    Environment environment;
    CHECK_THROWS_AS(environment.set("", "x"), std::invalid_argument);
    CHECK_THROWS_AS(environment.set("A=B", "x"), std::invalid_argument);
    CHECK_THROWS_AS(environment.set("A", std::string_view("\0", 1)), std::invalid_argument);
    CHECK(environment.entries().empty());
}

TEST_CASE("a variable that is set again keeps its place, and one that is new comes last") {
    Environment environment;
    environment.set("A", "1").set("B", "2").set("A", "3").set("C", "4");
    CHECK(environment.entries() == Entries{"A=3", "B=2", "C=4"});
    environment.unset("A").set("A", "5");
    CHECK(environment.entries() == Entries{"B=2", "C=4", "A=5"});
    CHECK(environment.clear().set("B", "6").entries() == Entries{"B=6"});
}

TEST_CASE("a name is neither the beginning of another one nor a part of a value") {
    const std::array entries{"AB=1", "A=B=2", "A", "B", static_cast<const char*>(nullptr)};
    Environment environment = Environment::copy_of(entries.data());
    CHECK(environment.get("A") == "B=2");
    CHECK_FALSE(environment.get("B"));
    CHECK_FALSE(environment.get("A=B"));
    environment.set("B", "3").unset("A");
    CHECK(environment.entries() == Entries{"AB=1", "A", "B", "B=3"});
}

TEST_CASE("of a variable that was copied several times one is left when it is set") {
    std::vector<const char*> entries{"A=1", "B=2", "A=3", "A=4"};
    SUBCASE("among few") {}
    SUBCASE("among many") { entries.insert(entries.begin() + 2, many, "no name"); }
    entries.push_back(nullptr);
    Environment environment = Environment::copy_of(entries.data());
    CHECK(environment.set("B", "5").entries().size() == entries.size() - 1);
    CHECK(environment.get("A") == "1");
    environment.set("A", "6");
    CHECK(environment.entries().size() == entries.size() - 3);
    CHECK(environment.entries()[0] == "A=6");
    CHECK(environment.entries()[1] == "B=5");
    CHECK(environment.set("C", "7").get("C") == "7");
    CHECK(environment.unset("C").entries().size() == entries.size() - 3);
}

TEST_CASE("an environment of many variables is changed like one of few") {
    Environment environment = of_many();
    const Environment before = environment;
    CHECK(environment.set("N7", "new").get("N7") == "new");
    CHECK(environment.entries()[7] == "N7=new");
    environment.unset("N3").set("N8", "new").set("N3", "again").set("N9", "new");
    CHECK(environment.entries().size() == many);
    CHECK(environment.entries()[7] == "N8=new");
    CHECK(environment.entries()[8] == "N9=new");
    CHECK(environment.entries().back() == "N3=again");
    CHECK(before.get("N7") == "old");
    Environment moved = std::move(environment);
    environment = of_many();
    CHECK(environment.set("N7", "other").entries()[7] == "N7=other");
    CHECK(moved.set("N8", "newest").entries()[7] == "N8=newest");
    CHECK(moved.clear().set("N8", "first").entries() == Entries{"N8=first"});
}

// Were each of them compared with all before it, this would take minutes, and the watchdog would bite.
TEST_CASE("a variable costs the same however many there are already") {
    constexpr int count = 300'000;
    Environment environment;
    for (int round = 0; round < 2; ++round) {
        for (int number = 0; number < count; ++number) {
            environment.set(std::to_string(number), "x");
        }
    }
    CHECK(environment.entries().size() == count);
    CHECK(environment.entries().back() == std::to_string(count - 1) + "=x");
}
