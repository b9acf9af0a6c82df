#include "checks.hpp"

#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools::bwrap {
namespace {

// Layers want an overlay; what --perms and --size say at the end is for nothing, and that is no error.
void refuse_pending_layers(FileLayout files) { files.add(sandbox::Mount::tmpfs("/"), "--tmpfs"); }

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
    if (request.spawn.program.empty()) {
        throw UsageError("execvp : No such file or directory");
    }
    refuse_pending_layers(request.surroundings.files);
    request.surroundings.first_option = "--bind";
    JoinedNamespaces& joined = request.surroundings.joined;
    joined.second_user = joined.user < 0 ? -1 : joined.second_user;
    settle(request.gates, request.surroundings);
    settle_directory(request.spawn);
}

}  // namespace syncspawn::tools::bwrap
