#include "id_map.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "launcher/own_proc.hpp"

namespace syncspawn::tools {
namespace {

// One write(2) each, as user_namespaces(7) demands.
std::error_code write_file(ParentSide& side, const std::string& path, const std::string& text) {
    const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file || write(file.get(), text.data(), text.size()) < 0) {
        return side.fail(path.c_str(), Hint::id_map);
    }
    return side.done();
}

std::error_code map_root(ParentSide& side) {
    if (!detail::proc_is_of_this_pid_namespace()) {
        return side.fail(ENOENT, "/proc is not there or of another pid namespace");
    }
    const std::string process = "/proc/" + std::to_string(side.child_pid());
    std::error_code error =
        write_file(side, process + "/uid_map", "0 " + std::to_string(geteuid()) + " 1\n");
    if (!error && geteuid() != 0) {
        // Linux 3.19: without privilege a group map needs this first.
        error = write_file(side, process + "/setgroups", "deny");
    }
    if (!error) {
        error = write_file(side, process + "/gid_map", "0 " + std::to_string(getegid()) + " 1\n");
    }
    return error;
}

}  // namespace

Step map_root_step() { return {.name = "uid map", .parent = map_root}; }

}  // namespace syncspawn::tools
