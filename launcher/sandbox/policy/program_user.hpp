#pragma once

#include <sys/types.h>

#include <string>

#include <syncspawn/sandbox/machine.hpp>
#include <syncspawn/sandbox/policy.hpp>

namespace syncspawn::sandbox {

// Who the program is for the host's files: nobody, where root of the host launches it.
uid_t user_of_program(const Privileges& privileges, const Machine& machine);

// Whether the user may make names in a directory, or could once it has changed the mode of what is its own.
bool may_change(const std::string& directory, uid_t user);

}  // namespace syncspawn::sandbox
