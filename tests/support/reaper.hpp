#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/observe.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

// For tests of programs that live below a reaper.

namespace syncspawn::testing {

// A pid namespace, by way of a user namespace where this user may not have it at once.
inline SpawnOptions with_reaper(SpawnOptions options, StartMethod method = StartMethod::automatic,
                                FirstProcess which = FirstProcess::reaper) {
    options.birth.method = method;
    options.birth.namespaces =
        options.birth.namespaces | Namespaces::pid |
        (geteuid() == 0 ? Namespaces::none : Namespaces::user | Namespaces::pid);
    options.birth.first_process = which;
    return options;
}

// Whether this machine can. The first launch also makes what the process keeps for all of them.
inline bool reapers_are_possible() {
    SpawnError error;
    SyncedSpawner(with_reaper({.program = "true"})).spawn(error).wait();
    return !error || error.code() != std::errc::operation_not_permitted;
}

#define SKIP_WITHOUT_REAPERS()                            \
    if (!reapers_are_possible()) {                        \
        SKIP_TEST("this machine forbids new namespaces"); \
    }

// The children of a process, zombies included, as this process numbers them.
inline std::vector<pid_t> children_of(pid_t parent) {
    const std::string pid = std::to_string(parent);
    std::ifstream list("/proc/" + pid + "/task/" + pid + "/children");
    std::vector<pid_t> children;
    for (pid_t child = 0; list >> child;) {
        children.push_back(child);
    }
    return children;
}

// The one child of a reaper that has nothing else.
inline pid_t program_of(pid_t reaper) {
    const std::vector<pid_t> children = children_of(reaper);
    return children.size() == 1 ? children.front() : -1;
}

inline bool comes_to_have_gone(pid_t pid) {
    return comes_true([pid] { return state_of(pid) == '\0'; });
}

// "0 1 2", as /proc lists them.
inline std::string descriptors_of(pid_t pid) {
    std::vector<int> numbers;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
        numbers.push_back(std::stoi(entry.path().filename()));
    }
    std::sort(numbers.begin(), numbers.end());
    std::string text;
    for (const int number : numbers) {
        text += (text.empty() ? "" : " ") + std::to_string(number);
    }
    return text;
}

}  // namespace syncspawn::testing
