#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox/sandbox.hpp>

#include "settings.hpp"
#include "tools/report/observer.hpp"
#include "tools/supervise/held_signals.hpp"
#include "tools/supervise/loop_client.hpp"
#include "tools/supervise/supervise.hpp"

namespace syncspawn::tools {

// All that a launch takes, ready to go. Whatever `supervision` points to is in here.
struct RunPlan {
    SyncedSpawner spawner;
    std::optional<sandbox::Sandbox> sandbox{};  // of a policy
    std::vector<std::string> left_out{};        // what options with -try have given up
    std::unique_ptr<Pty> pty{};
    std::vector<std::unique_ptr<LoopClient>> clients{};
    std::vector<std::unique_ptr<Observer>> observers{};
    Supervision supervision{};
};

// Throws UsageError, or std::invalid_argument, for what can never work; then nothing was started.
RunPlan make_plan(RunSettings& settings, const HeldSignals& signals);

// A policy and a tree laid out by hand do not go together. Both are names of options; empty: none was given.
void refuse_both(const std::string& of_a_policy, const std::string& by_hand);

}  // namespace syncspawn::tools
