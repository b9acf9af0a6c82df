#include <syncspawn/launcher/steps/id_maps.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include <syncspawn/barrier/unique_fd.hpp>

#include "id_map_step.hpp"

namespace syncspawn::steps {
namespace {

// One write(2) each, as user_namespaces(7) demands. 0, or the errno.
int write_file(const std::string& path, const std::string& text) {
    const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    return file && write(file.get(), text.data(), text.size()) >= 0 ? 0 : errno;
}

std::string text_of(const std::vector<IdRange>& ranges) {
    std::string text;
    for (const IdRange& range : ranges) {
        text += std::to_string(range.inside) + " " + std::to_string(range.outside) + " " +
                std::to_string(range.count) + "\n";
    }
    return text;
}

bool is_in_own_user_namespace(const std::string& process) {
    struct stat childs {};
    struct stat own {};
    return stat((process + "/ns/user").c_str(), &childs) == 0 &&
           stat("/proc/self/ns/user", &own) == 0 && childs.st_ino == own.st_ino;
}

std::error_code refuse(ParentSide& side, const std::string& process, const char* file, int error) {
    if (error == EPERM && is_in_own_user_namespace(process)) {
        return side.fail(EINVAL, "the child is in no user namespace of its own: birth.namespaces");
    }
    if (error == EPERM && is_written(side.child_pid(), file)) {
        return side.fail(error, is_written_already);
    }
    return side.fail(error, (process + file).c_str(), Hint::id_map);
}

std::error_code write_maps(ParentSide& side, const IdMaps& maps) {
    const std::string process = "/proc/" + std::to_string(side.child_pid());
    if (!maps.users.empty()) {
        if (const int error = write_file(process + "/uid_map", text_of(maps.users))) {
            return refuse(side, process, "/uid_map", error);
        }
    }
    if (!maps.groups.empty()) {
        int error = write_file(process + "/gid_map", text_of(maps.groups));
        // Linux 3.19: without CAP_SETGID the own group is mapped only where setgroups(2) is given up.
        if (error == EPERM && write_file(process + "/setgroups", "deny") == 0) {
            error = write_file(process + "/gid_map", text_of(maps.groups));
        }
        if (error != 0) {
            return refuse(side, process, "/gid_map", error);
        }
    }
    return side.done();
}

}  // namespace

Step map_root() {
    return before_what_follows([](ParentSide& side) {
        return write_maps(side,
                          {.users = {{.outside = geteuid()}}, .groups = {{.outside = getegid()}}});
    });
}

Step map_caller() {
    return before_what_follows([](ParentSide& side) {
        const uid_t user = geteuid();
        const gid_t group = getegid();
        return write_maps(side, {.users = {{.inside = user, .outside = user}},
                                 .groups = {{.inside = group, .outside = group}}});
    });
}

Step map_ids(IdMaps maps) {
    require_sound(maps);
    return before_what_follows(
        [maps = std::move(maps)](ParentSide& side) { return write_maps(side, maps); });
}

}  // namespace syncspawn::steps
