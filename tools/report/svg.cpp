#include "svg.hpp"

#include <cstdio>

#include "utf8.hpp"

namespace syncspawn::tools {
namespace {

// The colours that a page on GitHub has by day and by night, where the picture is to be at home.
constexpr std::string_view style_sheet = R"(<style>
text{font:13px -apple-system,BlinkMacSystemFont,"Segoe UI","Noto Sans","DejaVu Sans",Helvetica,Arial,sans-serif;fill:#1f2328}
.ground{fill:#ffffff;stroke:#d0d7de}
.right{text-anchor:end}
.middle{text-anchor:middle}
.strong{font-weight:600}
.faint,.time{fill:#656d76}
.time,.detail{font-size:11.5px;font-variant-numeric:tabular-nums}
.detail{fill:#656d76}
.lane{stroke:#d0d7de;stroke-width:2}
.unborn{stroke:#d0d7de;stroke-width:2;stroke-dasharray:2 5}
.head{fill:#f6f8fa;stroke:#d0d7de}
.parent{fill:#0969da}
.child{fill:#8250df}
.program{fill:#1a7f37}
.failed{fill:#cf222e}
text.failed{font-weight:600}
.waiting{opacity:.35}
.meeting{stroke:#656d76;stroke-width:1.5}
.pill{fill:#f6f8fa;stroke:#656d76}
.dot{fill:#ffffff;stroke:#656d76;stroke-width:2}
.arrow{stroke:#656d76;stroke-width:1.5;stroke-dasharray:5 3}
.tip{fill:#656d76}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}
.ground{fill:#0d1117;stroke:#30363d}
.faint,.time,.detail{fill:#9198a1}
.lane,.unborn{stroke:#30363d}
.head{fill:#161b22;stroke:#30363d}
.parent{fill:#4493f8}
.child{fill:#ab7df8}
.program{fill:#3fb950}
.failed{fill:#f85149}
.meeting,.arrow{stroke:#9198a1}
.pill{fill:#161b22;stroke:#9198a1}
.dot{fill:#0d1117;stroke:#9198a1}
.tip{fill:#9198a1}
}
</style>
)";

// To the tenth of a point, without needless digits.
std::string number(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.1f", value);
    std::string shown = text;
    if (shown.ends_with(".0")) {
        shown.resize(shown.size() - 2);
    }
    return shown;
}

std::string attribute(std::string_view name, double value) {
    return " " + std::string(name) + "=\"" + number(value) + "\"";
}

std::string begin_of(std::string_view element, std::string_view style) {
    return "<" + std::string(element) + " class=\"" + std::string(style) + "\"";
}

// XML knows no way to write a control byte.
std::string escaped(std::string_view text) {
    constexpr std::string_view unknown = "\xef\xbf\xbd";
    std::string result;
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const auto first = static_cast<unsigned char>(text.front());
        if (first == '&') {
            result += "&amp;";
        } else if (first == '<') {
            result += "&lt;";
        } else if (first == '>') {
            result += "&gt;";
        } else if (length == 0 || first < ' ' || first == 0x7f) {
            result += unknown;
        } else {
            result += text.substr(0, length);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return result;
}

}  // namespace

void Svg::rectangle(std::string_view style, double x, double y, double width, double height,
                    double radius) {
    elements_ += begin_of("rect", style) + attribute("x", x) + attribute("y", y) +
                 attribute("width", width) + attribute("height", height) + attribute("rx", radius) +
                 "/>\n";
}

void Svg::line(std::string_view style, double x1, double y1, double x2, double y2) {
    elements_ += begin_of("line", style) + attribute("x1", x1) + attribute("y1", y1) +
                 attribute("x2", x2) + attribute("y2", y2) + "/>\n";
}

void Svg::circle(std::string_view style, double x, double y, double radius) {
    elements_ += begin_of("circle", style) + attribute("cx", x) + attribute("cy", y) +
                 attribute("r", radius) + "/>\n";
}

void Svg::tip(std::string_view style, double x, double y, double direction) {
    constexpr double length = 8;
    constexpr double half_width = 4;
    const std::string back = number(x - direction * length);
    elements_ += begin_of("path", style) + " d=\"M" + number(x) + " " + number(y) + "L" + back +
                 " " + number(y - half_width) + "L" + back + " " + number(y + half_width) +
                 "Z\"/>\n";
}

void Svg::text(std::string_view style, double x, double y, std::string_view text,
               std::string_view detail) {
    elements_ +=
        begin_of("text", style) + attribute("x", x) + attribute("y", y) + ">" + escaped(text);
    if (!detail.empty()) {
        elements_ += R"(<tspan class="detail" dx="7">)" + escaped(detail) + "</tspan>";
    }
    elements_ += "</text>\n";
}

std::string Svg::document(double width, double height, std::string_view title) const {
    return R"(<svg xmlns="http://www.w3.org/2000/svg" role="img")" + attribute("width", width) +
           attribute("height", height) + " viewBox=\"0 0 " + number(width) + " " + number(height) +
           "\">\n<title>" + escaped(title) + "</title>\n" + std::string(style_sheet) + elements_ +
           "</svg>\n";
}

std::size_t characters_in(std::string_view text) {
    std::size_t count = 0;
    for (; !text.empty(); ++count) {
        text.remove_prefix(std::max<std::size_t>(1, utf8_length(text)));
    }
    return count;
}

std::string shortened(std::string_view text, std::size_t most) {
    if (characters_in(text) <= most) {
        return std::string(text);
    }
    std::string result;
    for (std::size_t count = 1; count < most; ++count) {
        const std::size_t length = std::max<std::size_t>(1, utf8_length(text));
        result += text.substr(0, length);
        text.remove_prefix(length);
    }
    return result + "\xe2\x80\xa6";
}

}  // namespace syncspawn::tools
