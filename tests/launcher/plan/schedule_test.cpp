#include "launcher/plan/schedule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace syncspawn;
using namespace syncspawn::detail;

namespace {

// What a test writes for one entry: the sides it has a part on, or a rendezvous.
// A gate has a part on one side alone, which the next part of the other side waits for.
enum class Shape {
    child,
    parent,
    together,
    child_first,
    parent_first,
    childs_gate,
    parents_gate,
    rendezvous
};
constexpr Shape every_shape[] = {Shape::child,        Shape::parent,       Shape::together,
                                 Shape::child_first,  Shape::parent_first, Shape::childs_gate,
                                 Shape::parents_gate, Shape::rendezvous};

bool is_on_child(Shape shape) { return shape != Shape::parent && shape != Shape::parents_gate; }
bool is_on_parent(Shape shape) { return shape != Shape::child && shape != Shape::childs_gate; }
StepOrder order_of(Shape shape) {
    switch (shape) {
        case Shape::child_first:
        case Shape::childs_gate:
            return StepOrder::child_first;
        case Shape::parent_first:
        case Shape::parents_gate:
            return StepOrder::parent_first;
        default:
            return StepOrder::together;
    }
}

std::vector<Entry> entries_of(const std::vector<Shape>& shapes) {
    std::vector<Entry> entries;
    for (const Shape shape : shapes) {
        const std::string name(1, static_cast<char>('a' + entries.size()));
        if (shape == Shape::rendezvous) {
            entries.emplace_back(Rendezvous{name});
            continue;
        }
        Step step{.name = name};
        if (is_on_child(shape)) {
            step.child.run = [](ChildSide&) {};
        }
        if (is_on_parent(shape)) {
            step.parent = [](ParentSide&) {};
        }
        step.order = order_of(shape);
        entries.emplace_back(std::move(step));
    }
    return entries;
}

// The names in the order of one side, rendezvous in brackets.
std::string written(const Schedule& schedule, const std::vector<std::uint32_t>& side) {
    std::string text;
    for (const std::uint32_t index : side) {
        const Item& item = schedule.items[index];
        const bool meets = item.kind == ItemKind::rendezvous;
        text += (text.empty() ? "" : " ") + (meets ? "[" + item.name + "]" : item.name);
    }
    return text;
}

std::size_t count_rendezvous(const Schedule& schedule) {
    return static_cast<std::size_t>(
        std::count_if(schedule.items.begin(), schedule.items.end(),
                      [](const Item& item) { return item.kind == ItemKind::rendezvous; }));
}

// The number of rendezvous that come before the named item on this side, -1 if it is not there.
int phase_of(const Schedule& schedule, const std::vector<std::uint32_t>& side,
             const std::string& name) {
    int phase = 0;
    for (const std::uint32_t index : side) {
        const Item& item = schedule.items[index];
        if (item.name == name) {
            return phase;
        }
        phase += item.kind == ItemKind::rendezvous ? 1 : 0;
    }
    return -1;
}

// The fewest rendezvous, found in another way: the earliest phase that each side can be in.
std::size_t fewest(const std::vector<Shape>& shapes) {
    std::size_t child = 0;
    std::size_t parent = 0;
    std::size_t childs_next = 0;  // what the gates leave to its next part
    std::size_t parents_next = 0;
    for (const Shape shape : shapes) {
        if (shape == Shape::rendezvous) {
            child = parent = std::max(child, parent) + 1;
            continue;
        }
        child = is_on_child(shape) ? std::max(child, childs_next) : child;
        parent = is_on_parent(shape) ? std::max(parent, parents_next) : parent;
        if (order_of(shape) == StepOrder::together) {
            child = parent = std::max(child, parent);  // what comes later may wait for it
        } else if (shape == Shape::child_first) {
            parent = std::max(parent, child + 1);
        } else if (shape == Shape::parent_first) {
            child = std::max(child, parent + 1);
        } else if (shape == Shape::childs_gate) {
            parents_next = std::max(parents_next, child + 1);
        } else if (shape == Shape::parents_gate) {
            childs_next = std::max(childs_next, parent + 1);
        }
    }
    return std::max(child, parent) + 1;  // "ready to exec"
}

void check(const std::vector<Shape>& shapes) {
    const auto entries = entries_of(shapes);
    const Schedule schedule = make_schedule(entries, "true", "");
    const auto meetings = [&](const std::vector<std::uint32_t>& side) {
        std::vector<std::uint32_t> found;
        std::copy_if(side.begin(), side.end(), std::back_inserter(found), [&](std::uint32_t item) {
            return schedule.items[item].kind == ItemKind::rendezvous;
        });
        return found;
    };
    const std::string both =
        written(schedule, schedule.child) + " / " + written(schedule, schedule.parent);
    CAPTURE(both);
    CHECK(meetings(schedule.child) == meetings(schedule.parent));
    CHECK(meetings(schedule.child).back() == schedule.ready_to_exec);
    CHECK(count_rendezvous(schedule) == fewest(shapes));
    std::string last_of_child;
    std::string last_of_parent;
    int childs_gate = -1;  // the latest, by its phase
    int parents_gate = -1;
    for (std::size_t index = 0; index < shapes.size(); ++index) {
        const std::string name(1, static_cast<char>('a' + index));
        const int child = phase_of(schedule, schedule.child, name);
        const int parent = phase_of(schedule, schedule.parent, name);
        CHECK((child >= 0) == is_on_child(shapes[index]));
        CHECK((parent >= 0) == is_on_parent(shapes[index]));
        if (shapes[index] == Shape::child_first) {
            CHECK(child < parent);
        } else if (shapes[index] == Shape::parent_first) {
            CHECK(parent < child);
        } else if (shapes[index] == Shape::rendezvous) {
            CHECK(child == parent);
        } else if (shapes[index] == Shape::together) {
            CHECK(child == parent);  // nothing keeps one part from waiting for the other
            CHECK(child > parents_gate);
        } else if (child >= 0) {
            CHECK(child > parents_gate);
        }
        if (shapes[index] != Shape::rendezvous && parent >= 0) {
            CHECK(parent > childs_gate);
        }
        childs_gate = shapes[index] == Shape::childs_gate ? child : childs_gate;
        parents_gate = shapes[index] == Shape::parents_gate ? parent : parents_gate;
        last_of_child += child >= 0 ? name : "";
        last_of_parent += parent >= 0 ? name : "";
    }
    // One side's parts keep their order.
    const auto parts = [&](const std::vector<std::uint32_t>& side) {
        std::string names;
        for (const std::uint32_t item : side) {
            names += schedule.items[item].name.size() == 1 ? schedule.items[item].name : "";
        }
        return names;
    };
    CHECK(parts(schedule.child) == last_of_child);
    CHECK(parts(schedule.parent) == last_of_parent);
}

}  // namespace

TEST_CASE("a schedule without steps has the one rendezvous before execve") {
    const Schedule schedule = make_schedule({}, "true", "");
    CHECK(written(schedule, schedule.child) == "[ready to exec]");
    CHECK(written(schedule, schedule.parent) == "[ready to exec]");
}

TEST_CASE("parts that run together need no rendezvous") {
    const auto entries = entries_of({Shape::together, Shape::child, Shape::parent});
    const Schedule schedule = make_schedule(entries, "true", "");
    CHECK(written(schedule, schedule.child) == "a b [ready to exec]");
    CHECK(written(schedule, schedule.parent) == "a c [ready to exec]");
}

TEST_CASE("neighbours that want the same order share a rendezvous, which names them") {
    const auto entries = entries_of({Shape::child_first, Shape::child_first});
    const Schedule schedule = make_schedule(entries, "true", "");
    CHECK(written(schedule, schedule.child) == "a b [the child's 'a', 'b'] [ready to exec]");
    CHECK(written(schedule, schedule.parent) == "[the child's 'a', 'b'] a b [ready to exec]");
}

TEST_CASE("parts that run together are not driven apart by a rendezvous that neighbours share") {
    const auto entries = entries_of({Shape::child_first, Shape::together, Shape::child_first});
    const Schedule schedule = make_schedule(entries, "true", "");
    CHECK(written(schedule, schedule.child) ==
          "a [the child's 'a'] b c [the child's 'c'] [ready to exec]");
    CHECK(written(schedule, schedule.parent) ==
          "[the child's 'a'] a b [the child's 'c'] c [ready to exec]");
}

TEST_CASE("what follows on the other side waits for an ordered step of one part") {
    const auto entries = entries_of({Shape::parents_gate, Shape::parent, Shape::child});
    const Schedule schedule = make_schedule(entries, "true", "");
    CHECK(written(schedule, schedule.child) == "[the parent's 'a'] c [ready to exec]");
    CHECK(written(schedule, schedule.parent) == "a [the parent's 'a'] b [ready to exec]");
}

TEST_CASE("if nothing follows, \"ready to exec\" is enough for an ordered step of one part") {
    const auto entries = entries_of({Shape::child, Shape::childs_gate, Shape::parents_gate});
    CHECK(count_rendezvous(make_schedule({entries[0], entries[1]}, "true", "")) == 1);
    CHECK(count_rendezvous(make_schedule({entries[0], entries[2]}, "true", "")) == 1);
    // Entering the working directory is something of the child's that follows.
    CHECK(count_rendezvous(make_schedule({entries[0], entries[2]}, "true", "/")) == 2);
}

TEST_CASE("the working directory is entered after the last part of the child") {
    const auto entries = entries_of({Shape::child, Shape::rendezvous, Shape::child});
    const Schedule schedule = make_schedule(entries, "true", "/tmp");
    CHECK(written(schedule, schedule.child) == "a [b] c chdir to '/tmp' [ready to exec]");
    CHECK(written(schedule, schedule.parent) == "[b] [ready to exec]");
}

TEST_CASE("every list of up to four entries keeps its orders with the fewest rendezvous") {
    std::vector<std::vector<Shape>> lists{{}};
    for (std::size_t begin = 0, length = 0; length < 4; ++length) {
        const std::size_t end = lists.size();
        for (; begin < end; ++begin) {
            for (const Shape shape : every_shape) {
                lists.push_back(lists[begin]);
                lists.back().push_back(shape);
            }
        }
    }
    for (const auto& shapes : lists) {
        check(shapes);
    }
}

TEST_CASE("a last part is an item of its own, behind all that the child does beside it") {
    const std::vector<Entry> entries{
        Step{.name = "a", .last = {.run = [](ChildSide&) {}}},
        Step{.name = "b", .child = {.run = [](ChildSide&) {}}, .last = {.run = [](ChildSide&) {}}},
        Step{.name = "c", .parent = [](ParentSide&) {}}};
    const Schedule schedule = make_schedule(entries, "true", "");
    CHECK(written(schedule, schedule.last) == "a b");
    CHECK(written(schedule, schedule.child) == "b [ready to exec]");
    CHECK(written(schedule, schedule.parent) == "c [ready to exec]");
    for (const std::uint32_t item : schedule.last) {
        CHECK(schedule.items[item].kind == ItemKind::last);
        CHECK(stage_of(schedule.items[item].kind) == Stage::step);
        CHECK(item < schedule.execve);  // in a timeline whose times are the same
    }
}

TEST_CASE("a part behind execve is an item of its own, behind execve and before readiness") {
    const std::vector<Entry> entries{
        Step{.name = "a", .parent = [](ParentSide&) {}, .after_execve = [](ParentSide&) {}},
        Rendezvous{"r"}, Step{.name = "b", .after_execve = [](ParentSide&) {}}};
    const Schedule schedule = make_schedule(entries, "true", "");
    CHECK(written(schedule, schedule.after_execve) == "a b");
    CHECK(written(schedule, schedule.parent) == "a [r] [ready to exec]");
    CHECK(written(schedule, schedule.child) == "[r] [ready to exec]");
    for (const std::uint32_t item : schedule.after_execve) {
        CHECK(schedule.items[item].kind == ItemKind::after_execve);
        CHECK(stage_of(schedule.items[item].kind) == Stage::step);
        CHECK(item > schedule.execve);  // in a timeline whose times are the same
        CHECK(item < schedule.readiness);
    }
}
