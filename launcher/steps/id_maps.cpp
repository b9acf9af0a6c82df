#include <syncspawn/launcher/steps/id_maps.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include <syncspawn/barrier/unique_fd.hpp>

#include "barrier/linux/proc.hpp"

namespace syncspawn::steps {
namespace {

// One write(2) each, as user_namespaces(7) demands. 0, or the errno.
int write_file(const std::string& path, const std::string& text) {
    const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    return file && write(file.get(), text.data(), text.size()) >= 0 ? 0 : errno;
}

std::string map_text(const std::vector<IdRange>& ranges) {
    std::string text;
    for (const IdRange& range : ranges) {
        text += std::to_string(range.inside) + " " + std::to_string(range.outside) + " " +
                std::to_string(range.count) + "\n";
    }
    return text;
}

std::error_code write_maps(ParentSide& side, const IdMaps& maps) {
    if (!detail::proc::is_of_this_pid_namespace()) {
        return side.fail(ENOENT, "/proc is not there or of another pid namespace");
    }
    const std::string process = "/proc/" + std::to_string(side.child_pid());
    std::string path = process + "/uid_map";
    int error = write_file(path, map_text(maps.users));
    if (error == 0) {
        path = process + "/gid_map";
        error = write_file(path, map_text(maps.groups));
        // Linux 3.19: without CAP_SETGID the own group is mapped only where setgroups(2) is given up.
        if (error == EPERM && write_file(process + "/setgroups", "deny") == 0) {
            error = write_file(path, map_text(maps.groups));
        }
    }
    return error == 0 ? side.done() : side.fail(error, path.c_str(), Hint::id_map);
}

// The child's parts that come later find the map written.
Step written_by_the_parent(Part<ParentSide> write) {
    return {.name = "id maps",
            .child = shared_memory([](ChildSide&) {}),
            .parent = std::move(write),
            .order = StepOrder::parent_first};
}

}  // namespace

Step map_root() {
    return written_by_the_parent([](ParentSide& side) {
        return write_maps(side,
                          {.users = {{.outside = geteuid()}}, .groups = {{.outside = getegid()}}});
    });
}

Step map_caller() {
    return written_by_the_parent([](ParentSide& side) {
        const uid_t user = geteuid();
        const gid_t group = getegid();
        return write_maps(side, {.users = {{.inside = user, .outside = user}},
                                 .groups = {{.inside = group, .outside = group}}});
    });
}

Step map_ids(IdMaps maps) {
    return written_by_the_parent(
        [maps = std::move(maps)](ParentSide& side) { return write_maps(side, maps); });
}

}  // namespace syncspawn::steps
