#pragma once

#include <map>
#include <string>

// The host that is attacked, and the launches of the program that attacks it.

namespace syncspawn::attacks {

// Who launches, and as whom the program runs.
enum class User { root, nobody_by_root, ordinary };
// What holds the policy. `nothing`: there is none, the program is launched as it is.
enum class Mechanisms { nothing, namespaces, landlock_and_seccomp, both };

struct Attacked {
    // By the name of the attack: "worked", "denied EPERM", "untried WHY" or "broken STATUS".
    std::map<std::string, std::string> outcomes;
    std::string left_out;  // why this machine cannot run it
    std::string ending;    // of the process that had to do it
};

// What the program does not try by itself, but with somebody's help.
inline constexpr const char* attack_by_swapping =
    "write outside by a link that is swapped in during the launch";

// Makes a new host in namespaces of its own, launches the program there once, and ends all of it.
Attacked attacked(User user, Mechanisms mechanisms);

}  // namespace syncspawn::attacks
