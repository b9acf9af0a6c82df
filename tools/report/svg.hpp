#pragma once

#include <string>
#include <string_view>

namespace syncspawn::tools {

// A picture, element by element. Colours and fonts are those of the classes in its style sheet.
class Svg {
public:
    void rectangle(std::string_view style, double x, double y, double width, double height,
                   double radius);
    void line(std::string_view style, double x1, double y1, double x2, double y2);
    void circle(std::string_view style, double x, double y, double radius);
    // A filled triangle whose tip is at the point, towards +1 (right) or -1 (left).
    void tip(std::string_view style, double x, double y, double direction);
    // `detail` follows in a fainter colour, if there is one.
    void text(std::string_view style, double x, double y, std::string_view text,
              std::string_view detail = {});

    // The whole document.
    [[nodiscard]] std::string document(double width, double height, std::string_view title) const;

private:
    std::string elements_;
};

// How many characters it has, as far as anybody can tell.
std::size_t characters_in(std::string_view text);
// At most so many, with an ellipsis for the rest.
std::string shortened(std::string_view text, std::size_t most);

}  // namespace syncspawn::tools
