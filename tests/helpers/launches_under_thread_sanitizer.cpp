// A program under the thread sanitizer, with a library that is not. Anything that the sanitizer finds
// changes the exit code.

#include <cstdio>
#include <thread>
#include <vector>

#include <syncspawn/launcher.hpp>

namespace {

using namespace syncspawn;

bool launch(bool has_part) {
    SyncedSpawner spawner({.program = "true"});
    if (has_part) {
        spawner.step({.name = "x", .child = shared_memory([](ChildSide&) {})});
    }
    Process process = spawner.spawn();
    return process.start_method() == StartMethod::copied_memory && process.wait().success();
}

}  // namespace

int main() {
    std::vector<char> good(4);
    std::vector<std::thread> threads;
    for (char& mine : good) {
        threads.emplace_back([&mine] {
            mine = 1;
            for (int round = 0; round < 5; ++round) {
                mine = mine != 0 && launch(false) && launch(true) ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const char each : good) {
        if (each == 0) {
            std::puts("a launch failed, or shared memory");
            return 1;
        }
    }
    return 0;
}
