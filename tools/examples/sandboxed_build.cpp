// Builds somebody's project: the compiler reads its sources, writes to its build directory, and nowhere else.
// usage: sandboxed_build [SOURCES BUILD SCRIPT [ARGUMENT...]]; without them, a small project that tries its luck
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>
#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox.hpp>

using namespace std::chrono_literals;
namespace sandbox = syncspawn::sandbox;

namespace {

// A small project with a build script that one would rather not trust.
class Project {
public:
    Project() {
        char name[] = "/var/tmp/project-XXXXXX";
        path_ = mkdtemp(name) != nullptr ? name : "";
        std::filesystem::create_directories(path_ + "/src");
        std::filesystem::create_directories(path_ + "/build");
        std::ofstream(path_ + "/src/hello.c")
            << "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n";
        std::ofstream(path_ + "/src/build.sh") << "cc -o ../build/hello hello.c || exit 1\n"
                                                  "echo '/* mine */' >> hello.c\n"
                                                  "touch \"$HOME/.profile\"\n"
                                                  "cat < /dev/tcp/localhost/80\n"
                                                  "../build/hello\n";
    }
    ~Project() { std::filesystem::remove_all(path_); }
    Project(const Project&) = delete;
    Project& operator=(const Project&) = delete;
    std::string operator/(const char* name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

}  // namespace

int main(int argc, char** argv) {
    const Project project;
    const bool is_named = argc > 3;
    const std::string sources = is_named ? argv[1] : project / "src";
    const std::string results = is_named ? argv[2] : project / "build";
    std::vector<std::string> script{"build.sh"};
    if (is_named) {
        script.assign(argv + 3, argv + argc);
    }
    // [build]
    syncspawn::SyncedSpawner build(
        {.program = "bash", .arguments = script, .working_directory = sources});
    try {
        const sandbox::Sandbox strict(
            {.files = {.writable = {results}, .read_only = {sources}},
             .limits = {.file_size = 100'000'000, .wall_clock = 10min},
             .privileges = {.host_user = geteuid(), .host_group = getegid()}});
        strict.add_to(build);
    } catch (const sandbox::PolicyError& error) {
        std::puts(error.what());  // what this machine cannot hold, why, and what to do about it
        return 1;
    }
    const syncspawn::RunResult result = syncspawn::run(build);
    // [end]
    std::printf("%s%s", result.error.c_str(), result.output.c_str());
    return result.status.shell_code();
}
