// The worker for whole commands.

#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "methods.hpp"
#include "spawned.hpp"
#include "worker.hpp"

namespace {

using syncspawn::bench::bubblewrap;
using syncspawn::bench::Method;
using syncspawn::bench::posix_spawner_of;
using syncspawn::bench::Words;

// `first`, `then`, and the program.
Words command(Words first, const Words& then, const std::string& program) {
    first.insert(first.end(), then.begin(), then.end());
    first.insert(first.end(), {"--", program});
    return first;
}

std::vector<Method> commands_of(const std::string& program) {
    const std::filesystem::path workers = std::filesystem::path(program).parent_path();
    const Words all{"--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"};
    const Words ours{SYNCSPAWN_PROGRAM, "run"};
    std::vector<Method> methods{
        {"env", posix_spawner_of({"env", program})},
        {"run", posix_spawner_of(command(ours, {}, program))},
        {"bare_all", posix_spawner_of({workers / "bare_command", workers / "init", program})},
        {"run_all", posix_spawner_of(command(ours, all, program))},
    };
#ifdef SYNCSPAWN_BWRAP
    methods.push_back(
        {"syncspawn_bwrap_all", posix_spawner_of(command({SYNCSPAWN_BWRAP}, all, program))});
#endif
    try {
        methods.push_back({"bwrap_all", bubblewrap(all, program)});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "left out: bwrap_all: %s\n", error.what());
    }
    return methods;
}

}  // namespace

int main(int argc, char** argv) { return syncspawn::bench::serve(argc, argv, commands_of); }
