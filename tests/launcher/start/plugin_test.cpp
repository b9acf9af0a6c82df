// A plug-in with this library in it, which is closed while threads of the library are asleep.

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <thread>

#include "support/launched.hpp"
#include "support/peer.hpp"

using namespace syncspawn::testing;

namespace {

void launch_from_plugin(const char* function) {
    void* const plugin =
        dlopen(SYNCSPAWN_TEST_HELPERS "/plugin_launches.so", RTLD_NOW | RTLD_LOCAL);
    expect(plugin != nullptr);
    if (plugin == nullptr) {  // the analyzer does not know that this was expected
        return;
    }
    expect(reinterpret_cast<bool (*)()>(dlsym(plugin, function))());
    dlclose(plugin);
}

// By a thread that is not the first: only then has the library one for children that die with it.
void launch_from_another_thread(const char* function) {
    std::thread(launch_from_plugin, function).join();
}

void interrupt_all_threads() {
    const auto same = static_cast<gid_t>(-1);
    expect(setresgid(same, same, same) == 0);
}

}  // namespace

TEST_CASE(
    "a plug-in may be closed after a launch: set*id interrupts every thread, also the library's") {
    const char* function = "plugin_launches";
    SUBCASE("an idle one") {}
    SUBCASE("and the one that lasts as long as the process") {
        function = "plugin_launches_with_death_signal";
    }
    Peer peer([&] {
        for (int round = 0; round < 5; ++round) {
            launch_from_another_thread(function);
            interrupt_all_threads();
        }
    });
    CHECK(peer.ending() == reached_the_end);
}
