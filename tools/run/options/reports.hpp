#pragma once

#include <vector>

#include "tools/command_line/command_line.hpp"
#include "tools/report/report_settings.hpp"

namespace syncspawn::tools {

void add_report_options(std::vector<Option>& rows, ReportSettings& settings);

}  // namespace syncspawn::tools
