#pragma once

#include <cerrno>
#include <optional>
#include <string>
#include <system_error>

#include "launcher/child/launch_record.hpp"

namespace syncspawn::detail {

inline bool is_errno(const std::error_code& error) noexcept {
    return error.category() == std::generic_category() ||
           error.category() == std::system_category();
}

// An error of another category counts as this where an errno is wanted.
inline int errno_of(const std::error_code& error) noexcept {
    return is_errno(error) && error.value() != 0 ? error.value() : ECANCELED;
}

// What a child's failure slot says, as far as it can be believed.
struct ToldCode {
    int error = 0;                          // errno
    std::optional<std::error_code> code{};  // where that is more
    std::string detail{};
};

// The child could write anything there: a category is followed only if there certainly is one
// (loaded_object.hpp). Else the code is ECANCELED, and the detail has the name and the number.
ToldCode told_code(const FailureSlot& slot);

}  // namespace syncspawn::detail
