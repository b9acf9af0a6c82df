#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <syncspawn/launcher/spawn_error.hpp>

namespace syncspawn {

/// Something that one side did during a launch.
struct TimelineEvent {
    std::chrono::nanoseconds at{};  ///< since the launch began
    WhichSide side = WhichSide::parent;
    std::string what{};
};

/// In the order of time.
using Timeline = std::vector<TimelineEvent>;

/// Two columns of text, the parent's and the child's, one event a line, ending in a newline.
[[nodiscard]] SYNCSPAWN_API std::string draw(const Timeline& timeline);

}  // namespace syncspawn
