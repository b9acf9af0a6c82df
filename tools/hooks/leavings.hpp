#pragma once

#include <sys/types.h>

#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>

#include "tools/supervise/descendants.hpp"

namespace syncspawn::tools {

// The processes that hooks have left in the background: what serves the network of a sandbox, for one. They end
// with the program. Those of a child hook in a pid namespace do so by themselves.
class Leavings {
public:
    // After each hook.
    void find(pid_t child);
    // SIGTERM, and SIGKILL to what takes no notice; with all that they have started.
    void end(pid_t child);

private:
    Descendants descendants_;
    std::vector<UniqueFd> found_;  // pidfds
};

}  // namespace syncspawn::tools
