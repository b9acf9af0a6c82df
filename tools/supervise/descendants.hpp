#pragma once

#include <sys/types.h>

#include <vector>

namespace syncspawn::tools {

// Everything that a launch started, directly or not: this process adopts the orphans among them
// (PR_SET_CHILD_SUBREAPER, Linux 3.4), so none can leave its sight by daemonising.
class Descendants {
public:
    // Begins to adopt. Children that this process has already are not of the launch.
    Descendants();
    // Reaps the children of this process that have ended, up to `kept`, which is left to its owner.
    static void reap_orphans(pid_t kept);
    // The signal to what the program has started and left in its process group.
    void signal_group_of(pid_t program, int signal) const;
    // As far as /proc tells.
    [[nodiscard]] bool are_gone() const { return children().empty(); }
    // SIGKILL to all of them, wave by wave as the orphans arrive, until none is left. Complains of those
    // that may not be killed.
    void kill_all() const;
    // Those of them that this process has for children now.
    [[nodiscard]] std::vector<pid_t> children() const;

private:
    [[nodiscard]] bool is_foreign(pid_t pid) const;
    std::vector<pid_t> foreign_;
};

}  // namespace syncspawn::tools
