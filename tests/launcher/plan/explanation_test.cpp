// SyncedSpawner::explain(): a launch in words, before there is one.

#include <doctest/doctest.h>
#include <syncspawn/launcher.hpp>

#include <chrono>
#include <string>

using namespace syncspawn;

namespace {

Step step(const char* name, StepOrder order = StepOrder::together) {
    return {.name = name,
            .child = shared_memory([](ChildSide&) {}),
            .parent = [](ParentSide&) {},
            .order = order};
}

// Lines as "parent | child".
std::string written(const SyncedSpawner& spawner) {
    std::string text;
    for (const PlannedEvent& event : spawner.explain()) {
        text += event.parent + " | " + event.child + "\n";
    }
    return text;
}

}  // namespace

TEST_CASE("a launch without steps is a start, a meeting and an execve") {
    CHECK(written(SyncedSpawner({.program = "true"})) ==
          "starts the child | \n"
          "meets the child at [ready to exec] | meets the parent at [ready to exec]\n"
          " | execve 'true'\n"
          "sees the program run | \n");
}

TEST_CASE("steps come in the order of each side, and who waits says for what") {
    SyncedSpawner spawner({.program = "true", .working_directory = "/"});
    spawner.step(step("both"));
    spawner.step(step("map", StepOrder::child_first));
    spawner.rendezvous("here");
    spawner.step(step("cgroup", StepOrder::parent_first));
    CHECK(written(spawner) ==
          "starts the child | \n"
          "'both' | \n"
          " | 'both'\n"
          " | 'map'\n"
          "waits for the child's 'map' | \n"
          "'map' | \n"
          "meets the child at [here] | meets the parent at [here]\n"
          "'cgroup' | \n"
          " | waits for the parent's 'cgroup'\n"
          " | 'cgroup'\n"
          " | chdir to '/'\n"
          "meets the child at [ready to exec] | meets the parent at [ready to exec]\n"
          " | execve 'true'\n"
          "sees the program run | \n");
}

TEST_CASE(
    "what comes before the start, right before execve, behind it and after the end has its place") {
    SyncedSpawner spawner({.program = "true",
                           .birth = {.namespaces = Namespaces::user | Namespaces::pid,
                                     .first_process = FirstProcess::reaper},
                           .readiness = {.within = std::chrono::seconds(1)}});
    const ParentPart nothing = [](ParentSide&) {};
    spawner.step({.name = "cgroup", .before_start = nothing, .after_end = nothing});
    spawner.step({.name = "filter", .last = shared_memory([](ChildSide&) {})});
    spawner.step({.name = "score", .after_execve = nothing, .after_end = nothing});
    CHECK(written(spawner) ==
          "'cgroup', before the start | \n"
          "starts the child in new namespaces: user, pid | \n"
          "meets the child at [ready to exec] | meets the parent at [ready to exec]\n"
          " | makes the program's process, and becomes the reaper\n"
          " | 'filter', right before execve\n"
          " | execve 'true'\n"
          "sees the program run | \n"
          "'score', once the program runs | \n"
          "waits for the program to be ready | \n"
          "'score', after the end | \n"
          "'cgroup', after the end | \n");
}

TEST_CASE("it is drawn in two columns") {
    const std::string text = draw(PlannedLaunch{{.parent = "left"}, {.child = "right"}});
    const std::string blanks(36, ' ');
    CHECK(text == "parent" + std::string(34, ' ') + " | child\n" + "left" + blanks + " |\n" +
                      "    " + blanks + " | right\n");
}
