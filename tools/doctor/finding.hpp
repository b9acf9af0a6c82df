#pragma once

#include <string>
#include <system_error>
#include <vector>

#include <syncspawn/sandbox/machine.hpp>

namespace syncspawn::tools {

// The answer to one question about this machine, with the cause and the remedy of a "no".
struct Finding {
    std::string name;      // for programs, and stable: "user_namespace.network"
    std::string label;     // for people: "network"
    std::string detail{};  // of a yes: "version 7"
    bool is_there = true;
    std::string call{};       // what was refused
    std::error_code error{};  // what it said, if the kernel was asked
    std::string cause{};
    std::string remedy{};
};

// Questions about one thing, the most important first.
struct FindingGroup {
    std::string name;   // for programs: "namespaces"
    std::string title;  // for people: "Namespaces"
    std::vector<Finding> findings{};
};

inline Finding finding_of(std::string name, std::string label, const sandbox::Ability& ability,
                          std::string detail = {}) {
    return {.name = std::move(name),
            .label = std::move(label),
            .detail = std::move(detail),
            .is_there = static_cast<bool>(ability),
            .call = ability.call,
            .error = ability.refusal,
            .cause = ability.cause,
            .remedy = ability.remedy};
}

}  // namespace syncspawn::tools
