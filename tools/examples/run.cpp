// One call: starts a program, gives it its input, collects what it writes, and ends it if it is late.
#include <chrono>
#include <cstdio>

#include <syncspawn/launcher.hpp>

using namespace std::chrono_literals;

int main() {
    // [run]
    const syncspawn::RunResult result =
        syncspawn::run({.program = "sort",
                        .arguments = {"--unique"},
                        .streams = {.input = syncspawn::Stdio::text("b\na\nb\n")},
                        .ending = {.scope = syncspawn::KillScope::session}},
                       {.within = 10s, .output = {.limit = 1 << 20}});
    std::printf("%ssort %s\n", result.output.c_str(), result.status.to_string().c_str());
    // [end]
    return result.success() && result.output == "a\nb\n" ? 0 : 1;
}
