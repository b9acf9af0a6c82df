#pragma once

#include <optional>
#include <string>
#include <system_error>

#include <syncspawn/launcher/step.hpp>

#include "launcher/child/launch_record.hpp"

namespace syncspawn::detail {

// What came out of a parent's part: an error, or an exception in words, and its code if it was a std::system_error.
struct PartEnding {
    std::error_code error{};
    std::optional<std::string> exception{};
    [[nodiscard]] bool is_failure() const noexcept { return error || exception; }
};

PartEnding ending_of(const ParentPart& part, ParentSide& side);

// Of one that failed and that takes something back.
std::string in_words(const PartEnding& ending, const FailureSlot& slot);

}  // namespace syncspawn::detail
