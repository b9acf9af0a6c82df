#pragma once

#include <sys/types.h>

#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>

#include "tools/supervise/descendants.hpp"

namespace syncspawn::tools {

// The processes that hooks have left in the background: what serves the network of a sandbox, for one. They are
// known by when they came here as orphans, or by the environment that the hook had. (Those in a pid namespace of
// the program's end with that.)
class Leavings {
public:
    // Right after a hook, while the program does not run: all that is new belongs to it.
    void find(pid_t child);
    // SIGTERM, and SIGKILL to what takes no notice; with what they have started.
    void end(pid_t child);

private:
    void find_by_environment(pid_t child);
    void add(pid_t pid);
    // Waits for the end of those that obey, and forgets them.
    void signal_found(int signal);

    Descendants descendants_;
    std::vector<UniqueFd> found_;  // pidfds
};

}  // namespace syncspawn::tools
