// A thousand launches, half of which fail, each in one of several ways. Run under valgrind, whose
// list of open descriptors at the end must be the one of the start.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <syncspawn/launcher.hpp>

namespace {

using namespace syncspawn;

SyncedSpawner failing(int way) {
    SpawnOptions options{.program = way == 0 ? "/no/such/program" : "/bin/true"};
    options.streams.output = Stdio::pipe();
    options.working_directory = way == 1 ? "/no/such/directory" : "";
    SyncedSpawner spawner(options);
    if (way == 2) {
        spawner.step({.name = "fails", .child = async_signal_safe([](ChildSide& side) {
                                           return side.fail(EIO, "x");
                                       })});
    } else if (way == 3) {
        spawner.step(
            {.name = "fails", .parent = [](ParentSide& side) { return side.fail(EIO, "x"); }});
    } else if (way == 4) {
        spawner.step({.name = "dies", .child = async_signal_safe([](ChildSide& side) {
                                          kill(getpid(), SIGKILL);
                                          return side.done();
                                      })});
    }
    return spawner;
}

}  // namespace

int main(int argc, char** argv) {
    const int launches = argc > 1 ? std::atoi(argv[1]) : 1000;
    int succeeded = 0;
    int failed = 0;
    const SyncedSpawner good(
        {.program = "/bin/true", .readiness = {.hand_over = HandOver::barrier}});
    for (int round = 0; round < launches; ++round) {
        SpawnError error;
        Process process = round % 2 == 0 ? good.spawn(error) : failing(round / 2 % 5).spawn(error);
        failed += error ? 1 : 0;
        succeeded += !error && process.wait().success() ? 1 : 0;
    }
    std::printf("%d succeeded, %d failed\n", succeeded, failed);
    return succeeded == launches / 2 && failed == launches / 2 ? 0 : 1;
}
