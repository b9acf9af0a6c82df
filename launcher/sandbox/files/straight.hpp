#pragma once

#include <string>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::sandbox {

// Opens an absolute path that no symbolic link is on, with O_PATH and these flags. Empty with errno: ELOOP for a link.
UniqueFd open_straight(const std::string& path, int flags = 0);

}  // namespace syncspawn::sandbox
