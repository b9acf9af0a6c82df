#include "timeline_forms.hpp"
#include "tools/messages.hpp"

namespace syncspawn::tools {

std::string timeline_text(const Story& story) {
    Timeline timeline = whole_timeline(story);
    for (TimelineEvent& event : timeline) {
        event.what = printable(event.what);
    }
    std::string text;
    for (const std::string& what : story.left_out) {
        text += "left out: " + printable(what) + "\n";
    }
    return text + draw(timeline);
}

}  // namespace syncspawn::tools
