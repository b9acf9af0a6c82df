#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include <syncspawn/sandbox/policy.hpp>
#include <syncspawn/sandbox/policy_error.hpp>

#include "file_view.hpp"

namespace syncspawn::sandbox {

// The files of a policy, with every path resolved as the file system is now. What is wrong with them is added
// to `problems`; the view is of use only if nothing was.
// `user` is who the program is for the host.
FileView resolve_files(const Policy& policy, uid_t user, std::vector<Problem>& problems);

// The rule that decides about a resolved path: the longest whose path it is within. Null: none does.
const FileRule* rule_for(const std::vector<FileRule>& rules, const std::string& path) noexcept;

}  // namespace syncspawn::sandbox
