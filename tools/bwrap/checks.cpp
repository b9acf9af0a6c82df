#include "checks.hpp"

namespace syncspawn::tools::bwrap {
namespace {

// The directory is looked up from the root of the new tree.
void settle_directory(SpawnOptions& spawn) {
    std::string& directory = spawn.working_directory;
    if (!directory.empty()) {
        spawn.environment.set("PWD", directory);
        directory = directory.starts_with('/') ? directory : "/" + directory;
    }
}

}  // namespace

void settle(Request& request) {
    request.surroundings.first_option = "--bind";
    JoinedNamespaces& joined = request.surroundings.joined;
    joined.second_user = joined.user < 0 ? -1 : joined.second_user;
    settle(request.gates, request.surroundings);
    settle_directory(request.spawn);
}

}  // namespace syncspawn::tools::bwrap
