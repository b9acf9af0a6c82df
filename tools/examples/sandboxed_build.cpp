// Builds somebody's project: the compiler reads its sources, writes to its build directory, and nowhere else.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

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

int main() {
    const Project project;
    // [build]
    syncspawn::SyncedSpawner build(
        {.program = "bash", .arguments = {"build.sh"}, .working_directory = project / "src"});
    try {
        const sandbox::Sandbox strict(
            {.files = {.writable = {project / "build"}, .read_only = {project / "src"}},
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
