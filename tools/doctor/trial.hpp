#pragma once

#include <chrono>
#include <functional>
#include <string>

#include <syncspawn/launcher/synced_spawner.hpp>
#include <syncspawn/sandbox/machine.hpp>

namespace syncspawn::tools {

// What the kernel said to a child that tried it and is gone.
struct Answer {
    int error = 0;
    bool is_killed = false;  // by a filter: SIGSYS
};

// The attempt returns 0 or an errno. Throws std::system_error if there can be no child.
Answer tried_in_child(const std::function<int()>& attempt);

// A call that a Linux from `since` on has, and answers so.
struct KnownCall {
    const char* name;
    int major = 0;
    int minor = 0;
};

bool has_seccomp_filter();
// A kernel that knows the call does not say ENOSYS, so a filter did.
bool is_filters_answer(const Answer& answer, const KnownCall& call);
// What the answer means: of an error that the call alone cannot give, a filter or a security module is the cause. What
// else it may be about, the caller says.
sandbox::Ability judged(const Answer& answer, const KnownCall& call,
                        const std::string& other_cause = {}, const std::string& other_remedy = {});

// No launch of a trial takes longer.
constexpr auto longest_launch = std::chrono::seconds(20);

sandbox::Ability refusal(int error, std::string call, std::string cause, std::string remedy);

// Launches with these steps and gives up in the child before any program runs. "No error": all of them have succeeded.
SpawnError error_of_steps(SyncedSpawner spawner);

}  // namespace syncspawn::tools
