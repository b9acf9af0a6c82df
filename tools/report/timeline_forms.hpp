#pragma once

#include <string>

#include "report_settings.hpp"
#include "story.hpp"

namespace syncspawn::tools {

// A table: milliseconds, the parent's column, the child's column.
std::string timeline_text(const Story& story);
// A picture that needs nothing else: two lanes, and lines where the sides meet.
std::string timeline_svg(const Story& story);
// The Trace Event Format, for Perfetto and chrome://tracing.
std::string timeline_trace(const Story& story);

std::string timeline_in(TimelineForm form, const Story& story);

}  // namespace syncspawn::tools
