// Runs somebody's command: what it writes is collected, and it is ended if it is late.
#include <chrono>
#include <cstdio>

#include <syncspawn/launcher.hpp>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
    const char* const command = argc > 1 ? argv[1] : "echo hello; echo oops >&2; exit 3";
    // [run]
    const syncspawn::RunResult result =
        syncspawn::run({.program = "sh",
                        .arguments = {"-c", command},
                        .streams = {.error = syncspawn::Stdio::same_as_output()},
                        .ending = {.scope = syncspawn::KillScope::session}},
                       {.within = 10s, .output = {.limit = 1 << 20}});
    std::printf("%sIt %s.\n", result.output.c_str(), result.status.to_string().c_str());
    // [end]
    return result.status.shell_code();
}
