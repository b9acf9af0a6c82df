// Fifty commands at once, each with a time limit, and what they print.
#include <chrono>
#include <cstdio>
#include <future>
#include <string>
#include <vector>

#include <syncspawn/launcher.hpp>

using namespace std::chrono_literals;

int main() {
    std::vector<std::future<syncspawn::RunResult>> runs;
    for (int number = 1; number <= 50; ++number) {
        runs.push_back(std::async(std::launch::async, [number] {
            return syncspawn::run(
                {.program = "expr", .arguments = {std::to_string(number), "*", "2"}},
                {.within = 60s});
        }));
    }
    bool all_went_well = true;
    for (auto& run : runs) {
        const syncspawn::RunResult result = run.get();  // throws what the launch has thrown
        all_went_well = all_went_well && result.success();
        std::fputs(result.output.c_str(), stdout);
    }
    return all_went_well ? 0 : 1;
}
