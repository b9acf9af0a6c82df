#pragma once

#include <functional>
#include <string>
#include <vector>

// Ways to launch a program. Each call starts it once and reaps it; several threads may call at once.

namespace syncspawn::bench {

struct Method {
    std::string name;
    std::function<void()> launch;
    std::function<void()> prepare{};  // not timed; may be empty
};

// Ours in every form, and the bare system calls.
std::vector<Method> methods_of(const std::string& program);
// The same into a user namespace whose id maps the parent writes, and into all namespaces.
std::vector<Method> namespace_methods_of(const std::string& program);

}  // namespace syncspawn::bench
