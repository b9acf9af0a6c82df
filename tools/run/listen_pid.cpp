#include "listen_pid.hpp"

#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "barrier/linux/bounded_text.hpp"
#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {
namespace {

constexpr const char* variable = "LISTEN_PID";

// Made before the child, which only writes its number.
struct Replaced {
    std::vector<std::string> texts;
    char own[sizeof "LISTEN_PID=" + 20];
    std::vector<const char*> entries;
};

std::shared_ptr<Replaced> replaced_in(const Environment& environment) {
    const std::string key = std::string(variable) + "=";
    auto replaced = std::make_shared<Replaced>();
    replaced->texts = environment.entries();
    for (const std::string& text : replaced->texts) {
        replaced->entries.push_back(text.starts_with(key) ? replaced->own : text.c_str());
    }
    replaced->entries.push_back(nullptr);
    return replaced;
}

}  // namespace

void pass_on_listen_pid(SyncedSpawner& spawner) {
    const SpawnOptions& options = spawner.options();
    if (options.environment.get(variable) != std::to_string(getpid())) {
        return;
    }
    if (options.readiness.within) {
        throw UsageError("LISTEN_PID names this process, and --wait-ready cannot pass that on",
                         "take the sockets away by -u LISTEN_PID, or leave out --wait-ready");
    }
    // In the program's own process, be it behind a reaper. There is one launch, so nobody else writes there.
    spawner.step(
        {.name = variable,
         .last = shared_memory([replaced = replaced_in(options.environment)](ChildSide& side) {
             detail::BoundedText(replaced->own) << variable << '=' << getpid();
             side.replace_environment(replaced->entries.data());
         })});
}

}  // namespace syncspawn::tools
