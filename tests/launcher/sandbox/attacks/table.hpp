#pragma once

#include <array>
#include <string>
#include <vector>

// The table of attacks in docs/sandbox.md.

namespace syncspawn::attacks {

enum class Verdict {
    denied,
    allowed,      // on purpose
    not_covered,  // it may work, and the document says so
};

// "denied", or "denied (root: not covered)".
struct Cell {
    Verdict for_root = Verdict::denied;
    Verdict for_others = Verdict::denied;

    friend bool operator==(const Cell&, const Cell&) = default;
};

struct Row {
    std::string guarantee;
    std::string attack;
    std::array<Cell, 3> cells;  // namespaces, Landlock and seccomp, both
};

// The rows of the table under the heading "## Attacks". Throws std::runtime_error, with the line, for what is no row of such
// a table, and if there is none.
std::vector<Row> read_table(const std::string& document);

}  // namespace syncspawn::attacks
