#pragma once

#include <memory>
#include <vector>

#include "observer.hpp"
#include "report_settings.hpp"
#include "tools/supervise/loop_client.hpp"

namespace syncspawn::tools {

// Those that were asked for. `clients` gets what they need of the event loop, which must not outlive them.
std::vector<std::unique_ptr<Observer>> observers_for(
    const ReportSettings& settings, std::vector<std::unique_ptr<LoopClient>>& clients);

}  // namespace syncspawn::tools
