// A command that may do little: it has namespaces of its own, is root only in there, and gets few descriptors,
// no core file, no network, no new privileges and ten seconds.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>

#include <syncspawn/launcher.hpp>
#include <syncspawn/steps.hpp>

using namespace std::chrono_literals;
using syncspawn::Namespaces;
namespace steps = syncspawn::steps;

int main() {
    syncspawn::SyncedSpawner spawner(
        {.program = "sh",
         .arguments = {"-c", "id -u; ulimit -n; test $$ = 1"},
         .birth = {.namespaces = Namespaces::user | Namespaces::pid | Namespaces::network}});
    spawner.step(steps::map_root());
    spawner.step(steps::resource_limits({{.resource = RLIMIT_NOFILE, .soft = 64, .hard = 64},
                                         {.resource = RLIMIT_CORE, .soft = 0, .hard = 0}}));
    spawner.step(steps::no_new_privileges());
    try {
        const syncspawn::RunResult result = syncspawn::run(spawner, {.within = 10s});
        std::fputs(result.output.c_str(), stdout);  // 0, 64
        return result.success() ? 0 : 1;
    } catch (const syncspawn::SpawnError& error) {
        std::fprintf(stderr, "%s\n%s\n", error.what(), error.hint().c_str());
        return 1;
    }
}
