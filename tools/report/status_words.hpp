#pragma once

#include <string>
#include <system_error>

#include <syncspawn/launcher.hpp>

// The words for enumerators in what programs read. They never change.

namespace syncspawn::tools {

const char* word_of(WhichSide side);
const char* word_of(Stage stage);
const char* word_of(Cause cause);
const char* word_of(TimelineSubject subject);
const char* word_of(TimelineMoment moment);

// "ENOENT"; empty if it is no errno, or one without a name.
std::string errno_name(const std::error_code& code);

}  // namespace syncspawn::tools
