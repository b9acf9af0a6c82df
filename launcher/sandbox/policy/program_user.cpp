#include "program_user.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>

namespace syncspawn::sandbox {
namespace {

// A line of a map: the first id inside, the first one outside, how many.
bool is_mapped(const char* map, std::uint64_t id) {
    std::ifstream lines(map);
    std::uint64_t inside = 0;
    std::uint64_t outside = 0;
    std::uint64_t count = 0;
    bool has_lines = false;
    while (lines >> inside >> outside >> count) {
        has_lines = true;
        if (inside <= id && id - inside < count) {
            return true;
        }
    }
    return !has_lines;
}

}  // namespace

bool nobody_is_mapped() {
    return is_mapped("/proc/self/uid_map", nobody) && is_mapped("/proc/self/gid_map", nobody);
}

uid_t user_of_program(const Privileges& privileges, const Machine& machine) {
    const uid_t caller = geteuid();
    const bool becomes_nobody = caller == 0 && machine.alone.mounts && nobody_is_mapped();
    return privileges.host_user.value_or(becomes_nobody ? nobody : caller);
}

bool may_change(const std::string& directory, uid_t user) {
    struct stat about {};
    if (stat(directory.c_str(), &about) < 0 || about.st_uid == user) {
        return true;
    }
    // Of another user, who knows its groups? The bits of a group tell of access control lists, too.
    return user == geteuid() ? faccessat(AT_FDCWD, directory.c_str(), W_OK, AT_EACCESS) == 0
                             : user == 0 || (about.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

}  // namespace syncspawn::sandbox
