#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/launcher.hpp>

namespace syncspawn::tools {

// Why a launch failed, as far as a picture shows it.
struct StoryFailure {
    WhichSide side = WhichSide::parent;
    std::string step{};
    std::string message{};
};

// Something that happened once the program ran.
struct StoryEvent {
    std::chrono::nanoseconds at{};
    std::string what{};
};

// A launch from its beginning to the end of the program. All times are since it began.
struct Story {
    Timeline launch{};
    std::vector<std::string> left_out{};
    std::optional<StoryFailure> failure{};
    std::vector<StoryEvent>
        endings{};  // how it was made to end: "ends it: timeout", "passes on SIGTERM"
    std::optional<StoryEvent> exit{};  // "exited with code 3"
    std::optional<StoryEvent> gone{};  // and all that it had started

    // The last moment that is known.
    [[nodiscard]] std::chrono::nanoseconds end() const;
};

// All of it for draw().
Timeline whole_timeline(const Story& story);

// What one side did from one moment to another.
struct Span {
    WhichSide side = WhichSide::parent;
    TimelineSubject subject = TimelineSubject::step;
    std::string name{};
    std::chrono::nanoseconds begin{};
    std::optional<std::chrono::nanoseconds> end{};  // not set: it never came to an end
};

// In the order in which they began. What is a moment only has the same begin and end.
std::vector<Span> spans_of(const Timeline& timeline);

}  // namespace syncspawn::tools
