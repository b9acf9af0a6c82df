#pragma once

#include <sys/types.h>

#include <string>

#include <syncspawn/sandbox/machine.hpp>
#include <syncspawn/sandbox/policy.hpp>

namespace syncspawn::sandbox {

constexpr uid_t nobody = 65534;

// Whether this user namespace has an id for nobody. One that maps root alone has not. Yes, if the maps cannot be read.
bool nobody_is_mapped();

// Who the program is for the host's files: nobody, where root launches it that can become that.
uid_t user_of_program(const Privileges& privileges, const Machine& machine);

// Whether the user may make names in a directory, or could once it has changed the mode of what is its own.
bool may_change(const std::string& directory, uid_t user);

}  // namespace syncspawn::sandbox
