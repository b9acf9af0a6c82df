#include "launcher/plan/draft.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// What a spawner keeps of the user's words: a draft, from which the definition is made.

using namespace syncspawn;
using namespace syncspawn::detail;

namespace {

Step step_named(const std::string& name) {
    return {.name = name, .parent = [](ParentSide&) {}};
}

std::string refusal_of(Draft& draft, Entry entry) {
    try {
        draft.add(std::move(entry));
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("an entry that can never work is refused with the rule it breaks") {
    const auto does_nothing = [](ChildSide&) {};
    const struct {
        Entry entry{};
        std::string refusal{};
    } rows[] = {
        {.entry = Rendezvous{}, .refusal = "a rendezvous must have a name"},
        {.entry = Step{.name = "", .parent = [](ParentSide&) {}},
         .refusal = "a step must have a name"},
        {.entry = Step{.name = "x"}, .refusal = "step 'x' has no part"},
        {.entry = Step{.name = "x", .parent = [](ParentSide&) {}, .exec_failed = does_nothing},
         .refusal = "step 'x' is to hear of a failed execve but has no child part"},
        {.entry = Step{.name = "x", .child = after_fork(does_nothing), .undo = [](ParentSide&) {}},
         .refusal = "step 'x' has an undo but no parent part to take back"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.refusal);
        Draft draft({.program = "a"});
        CHECK(refusal_of(draft, row.entry) == "syncspawn: " + row.refusal);
    }
}

TEST_CASE("a draft is as it was when an entry was refused") {
    Draft draft({.program = "a"});
    draft.add(step_named("first"));
    const auto before = draft.definition();
    CHECK(refusal_of(draft, Rendezvous{}) == "syncspawn: a rendezvous must have a name");
    CHECK(draft.definition() == before);
    draft.add(Rendezvous{"second"});
    REQUIRE(draft.definition()->entries.size() == 2);
    CHECK(std::get<Step>(draft.definition()->entries[0]).name == "first");
    CHECK(std::get<Rendezvous>(draft.definition()->entries[1]).name == "second");
}

TEST_CASE("a definition does not change when its draft goes on") {
    Draft draft({.program = "a"});
    const auto empty = draft.definition();
    draft.add(step_named("x"));
    CHECK(draft.definition() != empty);
    CHECK(empty->entries.empty());
    CHECK(draft.definition()->entries.size() == 1);
}

TEST_CASE("copies of a draft share its definition until one of them goes on") {
    Draft draft({.program = "a"});
    draft.add(step_named("x"));
    const auto made = draft.definition();
    Draft copy(draft);
    CHECK(copy.definition() == made);
    copy.add(step_named("y"));
    CHECK(copy.definition() != made);
    CHECK(copy.definition()->entries.size() == 2);
    CHECK(draft.definition() == made);
}

TEST_CASE("threads that ask at once get the same definition") {
    for (int round = 0; round < 100; ++round) {
        const Draft draft({.program = "a"});
        std::array<std::shared_ptr<const Definition>, 4> seen;
        std::vector<std::thread> threads;
        threads.reserve(seen.size());
        for (auto& one : seen) {
            threads.emplace_back([&] { one = draft.definition(); });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        for (const auto& one : seen) {
            REQUIRE(one == seen[0]);
        }
    }
}
