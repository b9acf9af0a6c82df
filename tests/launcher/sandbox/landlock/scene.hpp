#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include <syncspawn/sandbox/landlock.hpp>
#include <syncspawn/steps.hpp>

#include "support/launched.hpp"

// What the tests of Landlock have in common: a tree that everybody may change, and a program that tries to.

namespace syncspawn::testing {

using Attempt = std::vector<std::string>;  // the arguments of tests/helpers/landlock_attempt.cpp
using Steps = std::vector<Step>;

// in/file and out/file
class Scene {
public:
    Scene() {
        chmod(directory_.path().c_str(), 0777);
        for (const char* const name : {"in", "out"}) {
            mkdir((directory_ / name).c_str(), 0700);
            chmod((directory_ / name).c_str(), 0777);
            directory_.file(std::string(name) + "/file", "content", 0666);
        }
    }
    std::string operator/(const std::string& name) const { return directory_ / name; }

private:
    TemporaryDirectory directory_;
};

// 0, or the errno of what was tried; the error of a launch that failed is thrown.
inline int outcome_of(const Attempt& attempt, const Steps& steps, const Birth& birth = {}) {
    SpawnOptions options{.program = SYNCSPAWN_TEST_HELPERS "/landlock_attempt",
                         .arguments = attempt};
    options.birth = birth;
    SyncedSpawner spawner(std::move(options));
    for (const Step& step : steps) {
        spawner.step(step);
    }
    return spawner.spawn().wait().shell_code();
}

inline Steps held_to(const sandbox::LandlockRules& rules,
                     const sandbox::LandlockOptions& options = {}) {
    return {steps::no_new_privileges(), sandbox::landlock(rules, options)};
}

}  // namespace syncspawn::testing
