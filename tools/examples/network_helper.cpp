// A program in a network namespace of its own, to which a helper gives an interface while the child waits:
//
//     network_helper 'pasta --config-net --quiet "$1"' ping -c 1 example.org
#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>
#include <syncspawn/steps.hpp>

using syncspawn::Namespaces;
using syncspawn::ParentSide;

namespace {

// Runs the command, with the child's pid as $1, and is done when it has ended well. The loop of a Launch goes on meanwhile.
std::error_code run_helper(ParentSide& side, const std::string& command) {
    auto& helper =
        side.state<syncspawn::Process>();  // empty at the first call; ends with a launch that fails
    if (!helper) {
        const std::string child = std::to_string(side.child_pid());
        helper = syncspawn::SyncedSpawner(
                     {.program = "sh", .arguments = {"-c", command, "helper", child}})
                     .spawn();
    }
    const auto status = helper.try_wait();
    if (!status) {
        return side.wait_for(helper.pidfd());
    }
    return status->success() ? side.done() : side.fail(ECANCELED, "the helper has failed");
}

}  // namespace

int main(int count, char** words) {
    if (count < 3) {
        std::fputs("usage: network_helper COMMAND PROGRAM [ARGUMENT...]\n", stderr);
        return 1;
    }
    syncspawn::SyncedSpawner spawner(
        {.program = words[2],
         .arguments = std::vector<std::string>(words + 3, words + count),
         .birth = {.namespaces = Namespaces::user | Namespaces::network}});
    spawner.step(syncspawn::steps::map_root());
    spawner.step({.name = "network",
                  .parent = [command = std::string(words[1])](
                                ParentSide& side) { return run_helper(side, command); },
                  .order = syncspawn::StepOrder::parent_first});
    syncspawn::SpawnError error;
    syncspawn::Process program = spawner.spawn(error);
    if (error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return program.wait().shell_code();
}
