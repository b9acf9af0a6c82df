// Runs shell commands that an agent has thought of, one after the other, and tells it what came of each.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>
#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox.hpp>

using namespace std::chrono_literals;
namespace sandbox = syncspawn::sandbox;

namespace {

class Workspace {
public:
    Workspace() {
        char name[] = "/var/tmp/workspace-XXXXXX";
        path_ = mkdtemp(name) != nullptr ? name : "";
    }
    ~Workspace() { std::filesystem::remove_all(path_); }
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

// [sandbox]
sandbox::Sandbox sandbox_for(const std::string& workspace) {
    auto policy = sandbox::parse_policy(R"(
        network = "none"

        [limits]
        open_files = 256
        file_size = "100M"
    )");
    policy.files.writable = {workspace};
    policy.files.protected_paths = {workspace + "/.git"};  // it is not there, and cannot be made
    policy.privileges.host_user = geteuid();
    policy.privileges.host_group = getegid();
    return sandbox::Sandbox(policy);
}
// [end]

// [summary]
std::string summary(const sandbox::Enforcement& enforcement) {
    using sandbox::Reading;
    std::string text;
    for (const auto& [reading, words] : {std::pair(Reading::confirmed, "enforced"),
                                         std::pair(Reading::unread, "not shown by the kernel"),
                                         std::pair(Reading::refuted, "NOT ENFORCED")}) {
        std::string names;
        for (const sandbox::EnforcedGuarantee& one : enforcement.guarantees) {
            if (one.reading == reading) {
                names += names.empty() ? ": " : ", ";
                names += sandbox::name_of(one.holding.guarantee);
            }
        }
        text += names.empty() ? "" : words + names + "\n";
    }
    return text;
}
// [end]

// [command]
// The shell waits for its command, so it is there when the kernel is asked about it.
constexpr const char* shell = R"(read -rd '' command; eval "$command")";

// What the agent is told: all that the command wrote, how it ended, and what was enforced.
std::string outcome(const syncspawn::SyncedSpawner& spawner, const sandbox::Sandbox& sandbox,
                    const std::string& command) {
    sandbox::Enforcement enforcement;
    const syncspawn::RunResult result = syncspawn::run(
        spawner,
        {.input = [rest = command]() mutable { return std::exchange(rest, ""); },
         .launched =
             [&](const syncspawn::Process& process) { enforcement = sandbox.enforcement(process); },
         .within = 5s});
    const bool is_late = result.end == syncspawn::RunEnd::time_limit;
    return "$ " + command + "\n" + result.output +
           (is_late ? "It was out of time." : "It " + result.status.to_string() + ".") + "\n" +
           summary(enforcement);
}
// [end]

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> commands(argv + 1, argv + argc);
    if (commands.empty()) {
        commands = {"echo 'int main() {}' > main.c && ls", "mkdir .git; rm /etc/passwd; exit 3",
                    "cat < /dev/tcp/localhost/22",
                    // It leaves a process behind that holds the output, and does not wait for it.
                    "setsid sleep 1000 & echo done"};
    }
    const Workspace workspace;
    try {
        const sandbox::Sandbox sandbox = sandbox_for(workspace.path());
        syncspawn::SyncedSpawner spawner(
            {.program = "bash",
             .arguments = {"-c", shell},
             .working_directory = workspace.path(),
             .streams = {.error = syncspawn::Stdio::same_as_output()}});
        sandbox.add_to(spawner);
        for (const std::string& command : commands) {
            std::puts(outcome(spawner, sandbox, command).c_str());
        }
    } catch (const sandbox::PolicyError& error) {
        std::puts(error.what());
        return 1;
    }
}
