#include "story.hpp"

#include <algorithm>

namespace syncspawn::tools {
namespace {

// What has an `end` alone was not worth a beginning.
bool is_moment(const TimelineEvent& event) {
    return event.subject == TimelineSubject::start ||
           event.subject == TimelineSubject::working_directory ||
           event.subject == TimelineSubject::execve;
}

void close_last(std::vector<Span>& spans, const TimelineEvent& event) {
    const auto open = std::find_if(spans.rbegin(), spans.rend(), [&](const Span& span) {
        return !span.end && span.side == event.side && span.subject == event.subject &&
               span.name == event.name;
    });
    if (open != spans.rend()) {
        open->end = event.at;
    } else {
        spans.push_back({event.side, event.subject, event.name, event.at, event.at});
    }
}

}  // namespace

std::chrono::nanoseconds Story::end() const {
    std::chrono::nanoseconds last{};
    for (const TimelineEvent& event : whole_timeline(*this)) {
        last = std::max(last, event.at);
    }
    return last;
}

Timeline whole_timeline(const Story& story) {
    Timeline timeline = story.launch;
    const auto add = [&timeline](const StoryEvent& event, WhichSide side) {
        timeline.push_back({event.at, side, event.what});
    };
    for (const StoryEvent& ending : story.endings) {
        add(ending, WhichSide::parent);
    }
    if (story.exit) {
        add(*story.exit, WhichSide::child);
    }
    if (story.gone) {
        add(*story.gone, WhichSide::parent);
    }
    return timeline;
}

std::vector<Span> spans_of(const Timeline& timeline) {
    std::vector<Span> spans;
    for (const TimelineEvent& event : timeline) {
        if (event.moment == TimelineMoment::begin) {
            spans.push_back({event.side, event.subject, event.name, event.at});
            if (is_moment(event)) {
                spans.back().end = event.at;
            }
        } else if (event.moment == TimelineMoment::end) {
            close_last(spans, event);
        }
    }
    return spans;
}

}  // namespace syncspawn::tools
