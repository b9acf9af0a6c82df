#pragma once

#include <memory>
#include <string>
#include <vector>

#include <syncspawn/launcher/synced_spawner.hpp>

#include "surroundings.hpp"
#include "tools/report/observer.hpp"

// Where a launch waits for others, and what it tells them before: bubblewrap's --block-fd and its kin.

namespace syncspawn::tools {

// Descriptors are borrowed until the program has ended; -1: not wanted. The program gets none of them.
struct Gates {
    int block = -1;                         // --block-fd: the program waits for a byte
    int user_namespace = -1;                // --userns-block-fd: so does all that needs an id
    int info = -1;                          // --info-fd: closed once it is written
    int status = -1;                        // --json-status-fd
    std::vector<int> sync{};                // --sync-fd: open for as long as this process is
    std::vector<std::string> lock_files{};  // --lock-file: paths that the program sees

    std::string first_option{};  // the first that was given: for errors

    [[nodiscard]] bool is_used() const noexcept { return !first_option.empty(); }
    [[nodiscard]] std::vector<int> descriptors() const;
};

// Who lets others write the id maps has a new user namespace, and tells them of the child. Throws UsageError.
void settle(const Gates& gates, Surroundings& surroundings);

// A gate opens by a byte that comes. The end of the input opens none: then the launch fails (ECANCELED).

// In front of all steps that need an id: where others write the id maps, they are told of the child first.
void add_early_gates(SyncedSpawner& spawner, const Gates& gates);

// Behind namespaces, mounts and network. The files are locked, the lines for --info-fd and --json-status-fd written,
// and then the child waits for --block-fd.
void add_late_gates(SyncedSpawner& spawner, const Gates& gates);

// Writes the last line for --json-status-fd, if the program was executed; null if there is none to write.
std::unique_ptr<Observer> exit_code_observer(const Gates& gates);

}  // namespace syncspawn::tools
