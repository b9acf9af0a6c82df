#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace syncspawn::tools {

// Several complaints at once, each a line of its own. Nothing was started.
class Complaints : public std::runtime_error {
public:
    explicit Complaints(std::vector<std::string> lines)
        : std::runtime_error(lines.empty() ? "" : lines.front()), lines_(std::move(lines)) {}
    [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }

private:
    std::vector<std::string> lines_;
};

// The text on one line of a terminal, whatever a name in it contains: control bytes as \xHH.
std::string printable(const std::string& text);

// One such line on stderr, after "syncspawn: " or another speaker's name.
void complain(const std::string& message, const std::string& speaker = "syncspawn");

// On stdout. Returns what to exit with.
int print(const std::string& text);

}  // namespace syncspawn::tools
