#include "timeline_forms.hpp"

namespace syncspawn::tools {

std::string timeline_in(TimelineForm form, const Story& story) {
    switch (form) {
        case TimelineForm::svg:
            return timeline_svg(story);
        case TimelineForm::trace:
            return timeline_trace(story);
        case TimelineForm::text:
            break;
    }
    return timeline_text(story);
}

}  // namespace syncspawn::tools
