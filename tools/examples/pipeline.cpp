// A pipeline, `grep 7 | sort -rn | head -3`, whose input is made while it runs.
#include <cstdio>
#include <string>

#include <syncspawn/launcher.hpp>

int main() {
    int number = 0;
    const auto numbers = [&] {  // an empty text ends it
        return number < 100'000 ? std::to_string(++number) + "\n" : std::string();
    };
    const syncspawn::RunResult result =
        syncspawn::run_pipeline({{.program = "grep", .arguments = {"7"}},
                                 {.program = "sort", .arguments = {"-rn"}},
                                 {.program = "head", .arguments = {"-3"}}},
                                {.input = numbers});
    std::fputs(result.output.c_str(), stdout);  // 99997, 99987, 99979
    return result.success() ? 0 : 1;
}
