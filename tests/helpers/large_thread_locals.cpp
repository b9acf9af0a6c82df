// A program whose thread-local variables are larger than a thread's stack is made for, and a child part that
// uses as much stack as it may.
#include <array>
#include <cstddef>

#include <syncspawn/launcher.hpp>

namespace {

thread_local std::array<volatile char, std::size_t{600} * 1024> large;

void use_stack() {
    std::array<volatile char, std::size_t{128} * 1024 - 1024> frame;
    for (std::size_t at = 0; at < frame.size(); at += 1024) {
        frame[at] = 1;
    }
}

}  // namespace

int main() {
    large[0] = 1;
    syncspawn::SyncedSpawner spawner(
        {.program = "true", .birth = {.method = syncspawn::StartMethod::shared_memory}});
    spawner.step({.name = "x",
                  .child = syncspawn::shared_memory([](syncspawn::ChildSide&) { use_stack(); })});
    return spawner.spawn().wait().shell_code();
}
