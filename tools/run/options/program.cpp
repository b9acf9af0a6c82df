#include "program.hpp"

#include <string>

namespace syncspawn::tools {

void add_program_options(std::vector<Option>& rows, SpawnOptions& spawn) {
    rows.push_back({"--chdir", "DIR", "Start in DIR", "Program", [&](const Given& given) {
                        if (given.value->empty()) {
                            throw UsageError("must not be empty");
                        }
                        spawn.working_directory = *given.value;
                    }});
    rows.push_back(
        {"--setenv", "NAME VALUE", "Set an environment variable; NAME=VALUE works too", "",
         [&](const Given& given) { spawn.environment.set(*given.value, given.second); }});
    rows.push_back(
        {"--unsetenv", "NAME", "Remove an environment variable", "", [&](const Given& given) {
             if (given.value->empty() || given.value->find('=') != std::string::npos) {
                 throw UsageError("a name must not be empty or contain '='");
             }
             spawn.environment.unset(*given.value);
         }});
    rows.push_back({"--clearenv", "", "Remove all environment variables set so far", "",
                    [&](const Given&) { spawn.environment.clear(); }});
}

}  // namespace syncspawn::tools
