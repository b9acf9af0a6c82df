#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "story.hpp"

namespace syncspawn::tools {

// Where everything in the picture is. Time runs downwards; each event has a row of its own, and more time between
// two means more room, but not to scale: a launch has steps of microseconds, and programs run for minutes.

// What stands beside a lane.
struct RowLabel {
    std::string text{};
    std::string detail{};  // in a fainter colour
    std::optional<std::chrono::nanoseconds> at{};
};

enum class RowMark { none, meeting, failure };

struct Row {
    std::chrono::nanoseconds at{};
    RowLabel parent{};
    RowLabel child{};
    RowMark mark = RowMark::none;
    std::string meeting{};  // the name in the middle
    double y = 0;
};

enum class BarKind { step, waiting, program, failed };

// Something that lasts, on the lane of a side. Rows are indices.
struct Bar {
    WhichSide side = WhichSide::parent;
    BarKind kind = BarKind::step;
    std::size_t from = 0;
    std::size_t to = 0;
};

// From one lane to the other.
struct Arrow {
    WhichSide from_side = WhichSide::parent;
    std::size_t from = 0;
    std::size_t to = 0;
};

struct Layout {
    std::vector<Row> rows{};
    std::vector<Bar> bars{};
    std::vector<Arrow> arrows{};
    std::optional<std::size_t> childs_beginning{};
    std::optional<std::size_t> childs_end{};
    double height = 0;  // of the last row
};

Layout layout_of(const Story& story);

}  // namespace syncspawn::tools
