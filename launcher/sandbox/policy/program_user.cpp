#include "program_user.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace syncspawn::sandbox {

uid_t user_of_program(const Privileges& privileges, const Machine& machine) {
    constexpr uid_t nobody = 65534;
    const uid_t caller = geteuid();
    return privileges.host_user.value_or(caller == 0 && machine.alone.mounts ? nobody : caller);
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
