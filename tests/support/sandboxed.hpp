#pragma once

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>
#include <system_error>
#include <utility>

#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox.hpp>

#include "support/as_everybody.hpp"
#include "support/launched.hpp"
#include "support/peer.hpp"

// For tests of programs that are held to a policy.

namespace syncspawn::testing {

// A directory that everybody may write to, for the program may be nobody.
class Place : public TemporaryDirectory {
public:
    Place() {
        chmod(path().c_str(), 0777);
        (void)made("src");
    }
    [[nodiscard]] std::string made(const std::string& name) const {
        mkdir((*this / name).c_str(), 0777);
        chmod((*this / name).c_str(), 0777);
        return *this / name;
    }
    [[nodiscard]] std::string file_for_all(const std::string& name) const {
        std::string made = file(name, "text", 0666);
        chmod(made.c_str(), 0666);
        return made;
    }
};

// In a peer. Where the machine cannot hold the policy, the peer is left out.
inline sandbox::Sandbox planned(sandbox::Policy policy, const sandbox::Machine& machine,
                                const sandbox::DoorReceiver& doors = {}) {
    try {
        return {std::move(policy), machine, doors};
    } catch (const sandbox::PolicyError& error) {
        for (const sandbox::Problem& problem : error.problems()) {
            expect(problem.guarantee.has_value());  // the policy itself is sound
        }
        leave_out_here(error.what());
    }
}

inline sandbox::Sandbox planned(sandbox::Policy policy, const sandbox::DoorReceiver& doors = {}) {
    return planned(std::move(policy), sandbox::Machine::here(), doors);
}

// As where no namespace can be made.
inline sandbox::Machine without_namespaces() {
    sandbox::Machine machine = sandbox::Machine::here();
    const sandbox::Ability no{.refusal = std::make_error_code(std::errc::operation_not_permitted)};
    machine.user_namespace = no;
    machine.alone = machine.in_user_namespace = {no, no, no, no, no, no, no, no};
    return machine;
}

inline SyncedSpawner spawner_of(const std::string& script, const sandbox::Sandbox& sandbox) {
    // "can COMMAND" tells whether it could.
    SpawnOptions options =
        shell("can() { \"$@\" >/dev/null 2>&1 && echo yes || echo no; }\n" + script);
    options.streams.output = Stdio::pipe();
    SyncedSpawner spawner(std::move(options));
    sandbox.add_to(spawner);
    return spawner;
}

// What a script writes that is held to the policy; a launch that fails says why.
inline std::string outcome(const std::string& script, sandbox::Policy policy) {
    SpawnError error;
    Process process = spawner_of(script, planned(std::move(policy))).spawn(error);
    return error ? error.what() : read_all(process.standard_output());
}

inline void expect_outcome(const std::string& script, sandbox::Policy policy,
                           const std::string& wanted, int line = __builtin_LINE()) {
    expect_same(outcome(script, std::move(policy)).c_str(), wanted.c_str(), line);
}

}  // namespace syncspawn::testing
