#pragma once

#include <chrono>
#include <csignal>
#include <optional>
#include <vector>

#include <syncspawn/launcher.hpp>

namespace syncspawn::tools {

class Descendants;
class HeldSignals;
class LoopClient;
class Observer;

enum class Verbosity { usual, quiet };

// How a launch is stood by. Pointers are borrowed.
struct Supervision {
    std::optional<std::chrono::nanoseconds> timeout{};  // from execve on
    std::chrono::nanoseconds kill_after = std::chrono::seconds(5);
    int timeout_signal = SIGTERM;
    Verbosity verbosity = Verbosity::usual;
    Pty* pty = nullptr;  // the spawner has it already
    std::vector<LoopClient*> clients{};
    std::vector<Observer*> observers{};
};

// What has brought the end about.
enum class EndedBy { itself, a_signal, timeout };

struct Outcome {
    SpawnError error{};   // the launch failed
    ExitStatus status{};  // else: how the program ended
    EndedBy ended_by = EndedBy::itself;
    int signal = 0;  // of a launch that a signal has ended: which
};

// Launches, and stands between the caller and the program until that has ended: passes signals on, stops when
// the program stops and goes on with it, as one job of a shell, and reaps orphans.
Outcome supervise(const SyncedSpawner& spawner, const Supervision& supervision,
                  const HeldSignals& signals, const Descendants& descendants);

}  // namespace syncspawn::tools
