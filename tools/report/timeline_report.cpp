#include "timeline_report.hpp"

#include <cstdio>
#include <system_error>

#include "timeline_forms.hpp"
#include "tools/hooks/hooks.hpp"
#include "tools/messages.hpp"
#include "whole_file.hpp"

namespace syncspawn::tools {

void TimelineReport::runs(const Process& program) {
    story_.launch = program.timeline();
    show();
}

void TimelineReport::failed(const SpawnError& error) {
    story_.launch = error.timeline();
    story_.failure = {error.side(), error.step(), failure_in_words(error)};
    show();
}

void TimelineReport::ending(const std::string& why) {
    const bool is_signal = why.starts_with("SIG");
    story_.endings.push_back(
        {clock_.elapsed(), is_signal ? "passes on " + why : "ends it: " + why});
    show();
}

void TimelineReport::ended(const Process& /*program*/, const ExitStatus& status) {
    story_.exit = {clock_.elapsed(), status.to_string()};
    show();
}

void TimelineReport::gone() {
    story_.gone = {clock_.elapsed(), "sees all of it gone"};
    show();
}

void TimelineReport::show() {
    if (wish_.file.empty()) {
        const std::string text = timeline_text(story_);
        std::fputs(text.c_str() + std::min(shown_, text.size()), stderr);
        shown_ = text.size();
    }
}

void TimelineReport::over() {
    if (wish_.file.empty()) {
        return;
    }
    try {
        write_whole_file(wish_.file, timeline_in(wish_.form, story_));
    } catch (const std::system_error& error) {
        complain("the timeline is not written: " + std::string(error.what()));
    }
}

}  // namespace syncspawn::tools
