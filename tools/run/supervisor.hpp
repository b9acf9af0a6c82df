#pragma once

#include <syncspawn/launcher.hpp>

namespace syncspawn::tools {

class HeldSignals;

// Whether one of the signals that end a launch came.
enum class EndedBy { itself, a_signal };

// Stands between the caller and the program until that has ended: passes signals on, stops when the
// program stops and goes on with it, as one job of a shell, and reaps orphans.
EndedBy supervise(Process& process, const HeldSignals& signals);

}  // namespace syncspawn::tools
