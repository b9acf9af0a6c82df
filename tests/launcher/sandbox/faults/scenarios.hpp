#pragma once

#include <functional>
#include <string>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"

// Sandboxes that together use every mechanism, each around a program that says how it is protected.

namespace syncspawn::testing {

// What they may use of the host: directories and files that everybody may write to.
class Ground {
public:
    Ground();

    [[nodiscard]] std::string operator/(const std::string& name) const { return directory_ / name; }
    // What is there, and what it says: nothing of a sandbox may stay.
    [[nodiscard]] std::string listing() const;
    // What a program that was killed has made, and had no time to remove.
    void remove_what_was_tried() const;
    // tests/helpers/tell_protection, which tries to read and write all of it.
    [[nodiscard]] SpawnOptions program() const;

private:
    TemporaryDirectory directory_;
};

struct Scenario {
    std::string name;
    SpawnOptions options;
    std::vector<Step> steps;
};

struct ScenarioMaker {
    const char* name;
    bool needs_root;
    // Throws sandbox::PolicyError or std::system_error where this machine cannot.
    std::function<Scenario(const Ground& ground)> make;
};

[[nodiscard]] const std::vector<ScenarioMaker>& scenarios();

// The spawner of it, with a step of the same name before step N, whose child makes a call of the number first_mark + N.
inline constexpr long first_mark = 10'000;
[[nodiscard]] SyncedSpawner marked(const Scenario& scenario);

}  // namespace syncspawn::testing
