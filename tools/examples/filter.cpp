// A text goes through a program, and comes back changed.
#include <chrono>
#include <cstdio>

#include <syncspawn/launcher.hpp>

using namespace std::chrono_literals;
using syncspawn::Stdio;

int main() {
    try {
        const syncspawn::RunResult sorted = syncspawn::run(
            {.program = "sort", .streams = {.input = Stdio::text("pear\nfig\napple\n")}},
            {.within = 60s});
        if (!sorted.success()) {
            std::fprintf(stderr, "sort %s: %s\n",
                         sorted.is_late() ? "was late" : sorted.status.to_string().c_str(),
                         sorted.error.c_str());
            return 1;
        }
        std::fputs(sorted.output.c_str(), stdout);  // apple, fig, pear
    } catch (const syncspawn::SpawnError& error) {
        std::fprintf(stderr, "%s\n", error.what());  // there is no sort, say
        return 1;
    }
    return 0;
}
