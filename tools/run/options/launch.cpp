#include "launch.hpp"

#include "tools/command_line/duration.hpp"

namespace syncspawn::tools {

void add_launch_options(std::vector<Option>& rows, LaunchSettings& /*settings*/,
                        SpawnOptions& spawn) {
    rows.push_back(
        {"--wait-ready", "[=TIMEOUT]",
         "Hand the barrier over, and fail unless the program says it is ready (within TIMEOUT)",
         "Launch", [&](const Given& given) {
             spawn.readiness.within = given.value ? parse_duration(*given.value) : no_limit;
         }});
    rows.push_back(
        {"--setup-timeout", "TIMEOUT", "Fail unless the program is executed within TIMEOUT", "",
         [&](const Given& given) { spawn.setup.within = parse_duration(*given.value); }});
}

}  // namespace syncspawn::tools
