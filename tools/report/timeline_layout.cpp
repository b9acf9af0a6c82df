#include "timeline_layout.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "milliseconds.hpp"

namespace syncspawn::tools {
namespace {

using std::chrono::nanoseconds;

constexpr double first_row = 84;
constexpr double labelled_row = 26;
constexpr double bare_row = 12;
constexpr double meeting_row = 30;

// More room for more time: four points for each power of ten beyond a microsecond.
double room_for(nanoseconds time) {
    constexpr double most = 32;
    const double microseconds = std::chrono::duration<double, std::micro>(time).count();
    return microseconds <= 1 ? 0 : std::min(most, 4 * std::log10(microseconds));
}

class Builder {
public:
    explicit Builder(const Story& story) : story_(story) {}

    Layout build() {
        for (const TimelineEvent& event : story_.launch) {
            take(event);
        }
        take_failure();
        take_end();
        close_what_is_open();
        place_rows();
        return std::move(layout_);
    }

private:
    struct Open {
        std::size_t bar;
        TimelineSubject subject;
        std::string name;
    };

    std::size_t add_row(nanoseconds at) {
        layout_.rows.push_back({.at = at});
        return layout_.rows.size() - 1;
    }

    std::size_t add_row(nanoseconds at, WhichSide side, std::string text) {
        const std::size_t row = add_row(at);
        label(row, side) = {.text = std::move(text), .at = at};
        return row;
    }

    RowLabel& label(std::size_t row, WhichSide side) {
        return side == WhichSide::parent ? layout_.rows[row].parent : layout_.rows[row].child;
    }

    std::vector<Open>& open(WhichSide side) { return open_.at(static_cast<std::size_t>(side)); }

    void open_bar(const TimelineEvent& event, BarKind kind, std::size_t row) {
        open(event.side).push_back({layout_.bars.size(), event.subject, event.name});
        layout_.bars.push_back({event.side, kind, row, row});
    }

    // The bar that the event ends, now that it ends in this row.
    Bar* close_bar(const TimelineEvent& event, std::size_t row) {
        std::vector<Open>& opened = open(event.side);
        const auto found = std::find_if(opened.rbegin(), opened.rend(), [&](const Open& candidate) {
            return candidate.subject == event.subject && candidate.name == event.name;
        });
        if (found == opened.rend()) {
            return nullptr;
        }
        Bar& bar = layout_.bars[found->bar];
        bar.to = row;
        opened.erase(std::next(found).base());
        return &bar;
    }

    void take(const TimelineEvent& event) {
        switch (event.subject) {
            case TimelineSubject::start:
                take_start(event);
                break;
            case TimelineSubject::step:
                take_step(event);
                break;
            case TimelineSubject::rendezvous:
                take_meeting(event);
                break;
            case TimelineSubject::working_directory:
                add_row(event.at, event.side, event.name);
                break;
            case TimelineSubject::execve:
                take_execve(event);
                break;
            case TimelineSubject::readiness:
                take_readiness(event);
                break;
        }
    }

    void take_start(const TimelineEvent& event) {
        const std::size_t row = add_row(event.at, event.side, event.what);
        if (event.side == WhichSide::parent) {
            parents_start_ = row;
            return;
        }
        layout_.childs_beginning = row;
        if (parents_start_) {
            layout_.arrows.push_back({WhichSide::parent, *parents_start_, row});
        }
    }

    void take_step(const TimelineEvent& event) {
        if (event.moment == TimelineMoment::begin) {
            open_bar(event, BarKind::step, add_row(event.at, event.side, event.name));
        } else if (event.moment == TimelineMoment::end) {
            const std::size_t row = add_row(event.at);
            if (const Bar* const bar = close_bar(event, row)) {
                label(bar->from, event.side).detail =
                    milliseconds(event.at - layout_.rows[bar->from].at) + " ms";
            }
        }
    }

    // Both sides pass in the row of the first that does. None of them has done anything since.
    void take_meeting(const TimelineEvent& event) {
        if (event.moment == TimelineMoment::begin) {
            open_bar(event, BarKind::waiting, add_row(event.at));
            return;
        }
        const auto side = static_cast<std::size_t>(event.side);
        std::vector<std::size_t>& rows = meetings_[event.name];
        std::size_t& passed = passed_.at(side)[event.name];
        if (passed == rows.size()) {
            rows.push_back(add_row(event.at));
            layout_.rows.back().mark = RowMark::meeting;
            layout_.rows.back().meeting = event.name;
        }
        const std::size_t row = rows[passed++];
        label(row, event.side).at = event.at;
        close_bar(event, row);
    }

    void take_execve(const TimelineEvent& event) {
        const std::size_t row = add_row(event.at, event.side, event.what);
        if (event.side == WhichSide::child) {
            open_bar(event, BarKind::program, row);
            program_ = layout_.bars.size() - 1;
        }
    }

    void take_readiness(const TimelineEvent& event) {
        const std::size_t row = add_row(event.at, event.side, event.what);
        if (event.moment == TimelineMoment::begin) {
            open_bar(event, BarKind::waiting, row);
        } else {
            close_bar(event, row);
            layout_.arrows.push_back({WhichSide::child, row, row});
        }
    }

    void take_failure() {
        if (!story_.failure) {
            return;
        }
        const WhichSide side = story_.failure->side;
        const nanoseconds at = layout_.rows.empty() ? nanoseconds{} : layout_.rows.back().at;
        const std::size_t row = add_row(at);
        layout_.rows[row].mark = RowMark::failure;
        label(row, side).text = "failed";
        for (const Open& opened : open(side)) {
            if (opened.name == story_.failure->step) {
                layout_.bars[opened.bar].kind = BarKind::failed;
            }
        }
        layout_.childs_end = row;
    }

    void take_end() {
        for (const StoryEvent& ending : story_.endings) {
            const std::size_t row = add_row(ending.at, WhichSide::parent, ending.what);
            layout_.arrows.push_back({WhichSide::parent, row, row});
        }
        if (story_.exit) {
            const std::size_t row = add_row(story_.exit->at, WhichSide::child, story_.exit->what);
            layout_.childs_end = row;
            layout_.arrows.push_back({WhichSide::child, row, row});
            if (program_) {
                const nanoseconds began = layout_.rows[layout_.bars[*program_].from].at;
                label(row, WhichSide::child).detail =
                    "after " + milliseconds(story_.exit->at - began) + " ms";
            }
        }
        if (story_.gone) {
            add_row(story_.gone->at, WhichSide::parent, story_.gone->what);
        }
    }

    void close_what_is_open() {
        const std::size_t last = layout_.rows.empty() ? 0 : layout_.rows.size() - 1;
        for (const auto& side : open_) {
            for (const Open& opened : side) {
                Bar& bar = layout_.bars[opened.bar];
                bar.to = bar.side == WhichSide::child ? layout_.childs_end.value_or(last) : last;
            }
        }
    }

    void place_rows() {
        double y = first_row;
        nanoseconds before{};
        for (Row& row : layout_.rows) {
            const bool is_bare = row.parent.text.empty() && row.child.text.empty();
            y += row.mark == RowMark::meeting ? meeting_row : is_bare ? bare_row : labelled_row;
            y += room_for(row.at - before);
            row.y = y - labelled_row;
            before = row.at;
        }
        layout_.height = y - labelled_row;
    }

    const Story& story_;
    Layout layout_{};
    std::array<std::vector<Open>, 2> open_{};
    std::map<std::string, std::vector<std::size_t>> meetings_{};
    std::array<std::map<std::string, std::size_t>, 2> passed_{};
    std::optional<std::size_t> parents_start_{};
    std::optional<std::size_t> program_{};
};

}  // namespace

Layout layout_of(const Story& story) { return Builder(story).build(); }

}  // namespace syncspawn::tools
