#include <array>
#include <map>

#include "json.hpp"
#include "status_words.hpp"
#include "timeline_forms.hpp"

namespace syncspawn::tools {
namespace {

// A process with two threads, which a viewer draws as two lanes.
constexpr int process = 1;

int lane_of(WhichSide side) { return side == WhichSide::parent ? 1 : 2; }

class Trace {
public:
    JsonObject event(std::string_view name, std::string_view phase, WhichSide side) const {
        JsonObject event;
        event.text("name", name).text("ph", phase);
        return event.number("pid", process).number("tid", lane_of(side));
    }
    void add(const JsonObject& event) {
        events_ += (events_.empty() ? "\n" : ",\n") + event.to_string();
    }
    [[nodiscard]] std::string to_string() const {
        return R"({"displayTimeUnit":"ms","traceEvents":[)" + events_ + "\n]}\n";
    }

private:
    std::string events_;
};

// Microseconds, as the format has them.
JsonObject& at(JsonObject& event, std::string_view key, std::chrono::nanoseconds time) {
    return event.raw(key, std::to_string(std::chrono::duration<double, std::micro>(time).count()));
}

void name_lanes(Trace& trace) {
    const auto name = [&trace](std::string_view what, WhichSide side, std::string_view text) {
        JsonObject event = trace.event(what, "M", side);
        trace.add(event.raw("args", JsonObject().text("name", text).to_string()));
    };
    name("process_name", WhichSide::parent, "syncspawn");
    name("thread_name", WhichSide::parent, "parent");
    name("thread_name", WhichSide::child, "child");
}

void add_moment(Trace& trace, const std::string& name, WhichSide side,
                std::chrono::nanoseconds time) {
    JsonObject event = trace.event(name, "i", side);
    trace.add(at(event, "ts", time).text("s", "t"));
}

void add_span(Trace& trace, const std::string& name, std::string_view category, WhichSide side,
              std::chrono::nanoseconds begin, std::chrono::nanoseconds end) {
    JsonObject event = trace.event(name, "X", side);
    event.text("cat", category);
    at(event, "ts", begin);
    trace.add(at(event, "dur", end - begin));
}

// An arrow from one lane to the other.
void add_arrow(Trace& trace, int number, const Span& from, const Span& to) {
    JsonObject begin = trace.event(to.name, "s", from.side);
    begin.text("cat", "meeting").number("id", number);
    trace.add(at(begin, "ts", from.begin));
    JsonObject end = trace.event(to.name, "f", to.side);
    end.text("cat", "meeting").number("id", number).text("bp", "e");
    trace.add(at(end, "ts", to.end.value_or(to.begin)));
}

// Whoever comes last lets the other one go.
void add_meetings(Trace& trace, const std::vector<Span>& spans) {
    std::array<std::map<std::string, std::vector<const Span*>>, 2> sides;
    for (const Span& span : spans) {
        if (span.subject == TimelineSubject::rendezvous) {
            sides.at(static_cast<std::size_t>(span.side))[span.name].push_back(&span);
        }
    }
    int number = 0;
    for (const auto& [name, of_parent] : sides[0]) {
        const auto& of_child = sides[1][name];
        for (std::size_t index = 0; index < std::min(of_parent.size(), of_child.size()); ++index) {
            const bool parent_is_last = of_parent[index]->begin > of_child[index]->begin;
            const Span& last = parent_is_last ? *of_parent[index] : *of_child[index];
            const Span& first = parent_is_last ? *of_child[index] : *of_parent[index];
            add_arrow(trace, ++number, last, first);
        }
    }
}

void add_program(Trace& trace, const Story& story, const std::vector<Span>& spans) {
    for (const Span& span : spans) {
        if (span.subject == TimelineSubject::execve && span.side == WhichSide::child &&
            story.exit) {
            add_span(trace, "program: " + story.exit->what, "program", WhichSide::child, span.begin,
                     story.exit->at);
        }
    }
}

}  // namespace

std::string timeline_trace(const Story& story) {
    Trace trace;
    name_lanes(trace);
    const std::vector<Span> spans = spans_of(story.launch);
    for (const Span& span : spans) {
        if (span.end == span.begin) {
            add_moment(trace, span.name, span.side, span.begin);
        } else {
            add_span(trace, span.name, word_of(span.subject), span.side, span.begin,
                     span.end.value_or(story.end()));
        }
    }
    add_meetings(trace, spans);
    add_program(trace, story, spans);
    for (const StoryEvent& ending : story.endings) {
        add_moment(trace, ending.what, WhichSide::parent, ending.at);
    }
    if (story.gone) {
        add_moment(trace, story.gone->what, WhichSide::parent, story.gone->at);
    }
    if (story.failure) {
        add_moment(trace, "failed: " + story.failure->message, story.failure->side, story.end());
    }
    return trace.to_string();
}

}  // namespace syncspawn::tools
