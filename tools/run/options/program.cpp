#include "program.hpp"

#include <string>

namespace syncspawn::tools {
namespace {

void require_name(const std::string& name) {
    if (name.empty() || name.find('=') != std::string::npos) {
        throw UsageError("a name must not be empty or contain '='");
    }
}

void add_environment(std::vector<Option>& rows, Environment& environment) {
    rows.push_back({"--setenv", "NAME VALUE", "Set an environment variable; NAME=VALUE works too",
                    "", [&](const Given& given) { environment.set(*given.value, given.second); }});
    rows.push_back({"-E", "NAME=VALUE", "The same", "", [&](const Given& given) {
                        const std::size_t sign = given.value->find('=');
                        if (sign == std::string::npos) {
                            throw UsageError("'" + *given.value + "' has no value",
                                             "say -E " + *given.value + "=VALUE");
                        }
                        environment.set(given.value->substr(0, sign),
                                        given.value->substr(sign + 1));
                    }});
    rows.push_back(
        {"-u, --unsetenv", "NAME", "Remove an environment variable", "", [&](const Given& given) {
             require_name(*given.value);
             environment.unset(*given.value);
         }});
    rows.push_back({"-i, --clearenv", "", "Remove all environment variables set so far", "",
                    [&](const Given&) { environment.clear(); }});
}

}  // namespace

void add_program_options(std::vector<Option>& rows, SpawnOptions& spawn) {
    rows.push_back({"-C, --chdir", "DIR", "Start in DIR", "Program", [&](const Given& given) {
                        if (given.value->empty()) {
                            throw UsageError("must not be empty");
                        }
                        spawn.working_directory = *given.value;
                    }});
    rows.push_back({"--argv0", "NAME", "Start PROGRAM under this name", "",
                    [&](const Given& given) { spawn.argument_zero = *given.value; }});
    add_environment(rows, spawn.environment);
}

}  // namespace syncspawn::tools
