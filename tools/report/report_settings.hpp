#pragma once

#include <optional>
#include <string>

namespace syncspawn::tools {

// --timeline: in which form, and where to.
enum class TimelineForm { text, svg, trace };
struct TimelineWish {
    TimelineForm form = TimelineForm::text;
    std::string file{};  // empty: standard error
};

// What is told about a launch, and to whom.
struct ReportSettings {
    std::optional<TimelineWish> timeline{};
    int status_fd = -1;
    std::string first_option{};

    [[nodiscard]] bool is_used() const { return timeline.has_value() || status_fd >= 0; }
};

}  // namespace syncspawn::tools
