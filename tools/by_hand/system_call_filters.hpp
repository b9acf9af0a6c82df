#pragma once

#include <syncspawn/launcher/step.hpp>
#include <syncspawn/sandbox/system_calls.hpp>

#include "restrictions.hpp"

namespace syncspawn::tools {

// The file of --seccomp-policy: a rule in each line, the first that names a call decides.
//
//     # comments
//     allow chdir                     # ACTION CALL...
//     EPERM mount umount2             # fails with this errno; also by number
//     kill  ptrace process_vm_readv   # kill, trap, log
//     include default                 # the rules of the default deny set
//     otherwise allow                 # calls of no rule; allow, if there is no such line
//
// Throws UsageError, which says in which line.
[[nodiscard]] sandbox::SystemCallFilter read_filter_file(const std::string& path);

// Reads the source, and says what is wrong with it as `manner` does. Throws UsageError.
[[nodiscard]] Step filter_step(const FilterSource& source, Manner manner);

}  // namespace syncspawn::tools
