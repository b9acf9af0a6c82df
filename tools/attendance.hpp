#pragma once

#include <syncspawn/launcher.hpp>

namespace syncspawn::tools {

class Descendants;
class HeldSignals;

// Which of the signals that end a launch came, if any did.
enum class EndedBy { itself, a_signal };

// Stands between the caller and the program until that has ended: passes signals on, stops when the
// program stops and goes on with it, as one job of a shell, and reaps orphans.
EndedBy attend(Process& process, const HeldSignals& signals, const Descendants& descendants);

}  // namespace syncspawn::tools
