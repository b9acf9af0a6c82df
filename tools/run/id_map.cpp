#include "id_map.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "barrier/linux/proc.hpp"

namespace syncspawn::tools {
namespace {

// One write(2) each, as user_namespaces(7) demands. 0, or the errno.
int write_file(const std::string& path, const std::string& text) {
    const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    return file && write(file.get(), text.data(), text.size()) >= 0 ? 0 : errno;
}

std::error_code map_root(ParentSide& side) {
    if (!detail::proc::is_of_this_pid_namespace()) {
        return side.fail(ENOENT, "/proc is not there or of another pid namespace");
    }
    const std::string process = "/proc/" + std::to_string(side.child_pid());
    std::string path = process + "/uid_map";
    int error = write_file(path, "0 " + std::to_string(geteuid()) + " 1\n");
    if (error == 0) {
        path = process + "/gid_map";
        const std::string own_group = "0 " + std::to_string(getegid()) + " 1\n";
        error = write_file(path, own_group);
        // Linux 3.19: without CAP_SETGID the own group is mapped only where setgroups(2) is given up.
        if (error == EPERM && write_file(process + "/setgroups", "deny") == 0) {
            error = write_file(path, own_group);
        }
    }
    return error == 0 ? side.done() : side.fail(error, path.c_str(), Hint::id_map);
}

}  // namespace

Step map_root_step() { return {.name = "uid map", .parent = map_root}; }

}  // namespace syncspawn::tools
