#include <algorithm>
#include <vector>

#include "milliseconds.hpp"
#include "svg.hpp"
#include "timeline_forms.hpp"
#include "timeline_layout.hpp"

namespace syncspawn::tools {
namespace {

constexpr std::size_t longest_label = 48;
constexpr double letter = 6.9;  // of the usual fonts in that size, on average
constexpr double margin = 24;
constexpr double time_width = 62;
constexpr double beside_lane = 16;
constexpr double bar_width = 10;
constexpr double line_height = 18;
constexpr double head_top = 20;
constexpr double head_height = 30;

double width_of(std::string_view text) {
    return letter * static_cast<double>(std::min(characters_in(text), longest_label));
}

double width_of(const RowLabel& label) {
    const double detail = label.detail.empty() ? 0 : 7 + width_of(label.detail) * 0.9;
    return width_of(label.text) + detail;
}

class Picture {
public:
    Picture(const Story& story, const Layout& layout) : story_(story), layout_(layout) {
        double left = 130;
        double right = 130;
        double between = 150;
        for (const Row& row : layout.rows) {
            left = std::max(left, width_of(row.parent));
            right = std::max(right, width_of(row.child));
            between = std::max(between, width_of(row.meeting) + 24);
        }
        parent_ = margin + time_width + left + beside_lane;
        child_ = parent_ + between + 70;
        width_ = child_ + beside_lane + right + time_width + margin;
    }

    std::string draw() {
        const std::vector<std::string> notes = lines_of_notes();
        const double bottom = layout_.height + 28;
        const double height = bottom + line_height * static_cast<double>(notes.size()) + 10;
        svg_.rectangle("ground", 0.5, 0.5, width_ - 1, height - 1, 8);
        draw_lanes(bottom);
        draw_arrows();
        draw_bars();
        draw_rows();
        double y = bottom + line_height;
        for (const std::string& note : notes) {
            svg_.text(story_.failure ? "failed" : "faint", margin, y, note);
            y += line_height;
        }
        return svg_.document(width_, height, title());
    }

private:
    [[nodiscard]] double lane(WhichSide side) const {
        return side == WhichSide::parent ? parent_ : child_;
    }

    [[nodiscard]] std::string title() const {
        for (const TimelineEvent& event : story_.launch) {
            if (event.subject == TimelineSubject::execve) {
                return "What parent and child did, and when: " + event.name;
            }
        }
        return "What parent and child did, and when";
    }

    void draw_lanes(double bottom) {
        const double top = head_top + head_height;
        svg_.text("time", margin, head_top + 20, "ms");
        svg_.text("time right", width_ - margin, head_top + 20, "ms");
        svg_.line("lane", parent_, top, parent_, bottom);
        const double beginning =
            layout_.childs_beginning ? layout_.rows[*layout_.childs_beginning].y : bottom;
        const double end = layout_.childs_end ? layout_.rows[*layout_.childs_end].y : bottom;
        svg_.line("unborn", child_, top, child_, beginning);
        svg_.line("lane", child_, beginning, child_, std::max(beginning, end));
        for (const WhichSide side : {WhichSide::parent, WhichSide::child}) {
            constexpr double width = 88;
            svg_.rectangle("head", lane(side) - width / 2, head_top, width, head_height, 6);
            svg_.text("middle strong", lane(side), head_top + 20,
                      side == WhichSide::parent ? "parent" : "child");
        }
    }

    void draw_arrows() {
        for (const Arrow& arrow : layout_.arrows) {
            const bool to_the_right = arrow.from_side == WhichSide::parent;
            const double direction = to_the_right ? 1 : -1;
            const double to = to_the_right ? child_ : parent_;
            const double tip = to - direction * (bar_width / 2 + 2);
            svg_.line("arrow", lane(arrow.from_side), layout_.rows[arrow.from].y,
                      tip - direction * 6, layout_.rows[arrow.to].y);
            svg_.tip("tip", tip, layout_.rows[arrow.to].y, direction);
        }
    }

    void draw_bars() {
        for (const Bar& bar : layout_.bars) {
            std::string style = bar.side == WhichSide::parent ? "parent" : "child";
            double width = bar_width;
            if (bar.kind == BarKind::program) {
                style = "program";
            } else if (bar.kind == BarKind::failed) {
                style = "failed";
            } else if (bar.kind == BarKind::waiting) {
                style += " waiting";
                width = 4;
            }
            const double top = layout_.rows[bar.from].y;
            const double height = std::max(4.0, layout_.rows[bar.to].y - top);
            svg_.rectangle(style, lane(bar.side) - width / 2, top, width, height, width / 2.5);
        }
    }

    void draw_rows() {
        for (const Row& row : layout_.rows) {
            if (row.mark == RowMark::meeting) {
                draw_meeting(row);
            }
            const std::string_view style = row.mark == RowMark::failure ? "failed " : "";
            draw_label(row.parent, row.y, std::string(style) + "right", parent_ - beside_lane);
            draw_label(row.child, row.y, std::string(style), child_ + beside_lane);
            draw_time(row.parent, row.y, "time", margin);
            draw_time(row.child, row.y, "time right", width_ - margin);
        }
    }

    void draw_meeting(const Row& row) {
        const double middle = (parent_ + child_) / 2;
        const double width = width_of(row.meeting) + 24;
        svg_.line("meeting", parent_, row.y, child_, row.y);
        svg_.circle("dot", parent_, row.y, 5);
        svg_.circle("dot", child_, row.y, 5);
        svg_.rectangle("pill", middle - width / 2, row.y - 11, width, 22, 11);
        svg_.text("middle", middle, row.y + 4.5, shortened(row.meeting, longest_label));
    }

    void draw_label(const RowLabel& label, double y, const std::string& style, double x) {
        if (!label.text.empty()) {
            svg_.text(style, x, y + 4.5, shortened(label.text, longest_label), label.detail);
        }
    }

    void draw_time(const RowLabel& label, double y, std::string_view style, double x) {
        if (label.at) {
            svg_.text(style, x, y + 4.5, milliseconds(*label.at));
        }
    }

    // Below the lanes: why it failed, and what was left out.
    [[nodiscard]] std::vector<std::string> lines_of_notes() const {
        std::vector<std::string> notes;
        const auto most = static_cast<std::size_t>((width_ - 2 * margin) / letter);
        const auto add = [&](const std::string& text) {
            std::string line;
            for (std::size_t at = 0; at < text.size();) {
                const std::size_t end = std::min(text.find(' ', at), text.size());
                const std::string word = text.substr(at, end - at);
                if (!line.empty() && line.size() + 1 + word.size() > most) {
                    notes.push_back(std::exchange(line, {}));
                }
                line += (line.empty() ? "" : " ") + shortened(word, most);
                at = end + 1;
            }
            notes.push_back(line);
        };
        if (story_.failure) {
            add(story_.failure->message);
        }
        for (const std::string& what : story_.left_out) {
            add("left out: " + what);
        }
        return notes;
    }

    const Story& story_;
    const Layout& layout_;
    Svg svg_;
    double parent_ = 0;
    double child_ = 0;
    double width_ = 0;
};

}  // namespace

std::string timeline_svg(const Story& story) {
    const Layout layout = layout_of(story);
    return Picture(story, layout).draw();
}

}  // namespace syncspawn::tools
