#pragma once

#include <string>
#include <vector>

#include "finding.hpp"
#include "verdict.hpp"

namespace syncspawn::tools {

// All that the command has found out.
struct Examination {
    std::string policy{};  // the file that it is from; empty: the default one
    int landlock_version = 0;
    Verdict verdict{};
    std::vector<FindingGroup> groups{};
};

struct ReportStyle {
    bool is_verbose = false;
    bool is_coloured = false;
    std::size_t columns = 0;  // 0: lines are as long as they are
};

// For people: the verdict first, a line for what is fine, more for what is not.
std::string in_text(const Examination& examination, const ReportStyle& style);

// For programs: one JSON object, as the manual page describes it.
std::string in_json(const Examination& examination);

}  // namespace syncspawn::tools
