#pragma once

#include <cerrno>
#include <system_error>

#include <syncspawn/barrier/unique_fd.hpp>

#include "fresh_descriptor.hpp"

namespace syncspawn::detail {

// A descriptor that `call` has just opened, above the standard streams; std::system_error if it has not.
inline UniqueFd owned(int fd, const char* call) {
    UniqueFd owner(above_standard_streams(fd));
    if (!owner) {
        throw std::system_error(errno, std::generic_category(), call);
    }
    return owner;
}

}  // namespace syncspawn::detail
