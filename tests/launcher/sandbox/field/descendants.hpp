#pragma once

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>

#include "support/reaper.hpp"
#include "support/shared.hpp"

namespace syncspawn::testing {

// Whatever leaves its parent, its group and its session behind, and does not listen to who asks it to end. Each
// process holds the standard output.
inline const std::string leaves_six_behind =
    "trap '' HUP INT TERM\n"
    "sleep 1000 &\n"
    "setsid sleep 1000 &\n"
    "(sleep 1000 &)\n"
    "(setsid sleep 1000 &)\n"
    "setsid sh -c 'sleep 1000 & setsid sleep 1000 &'\n";
inline constexpr std::size_t left_behind = 6;

// The processes below one, however deep, each by a descriptor that tells of its end.
class Descendants {
public:
    explicit Descendants(pid_t ancestor) { add_those_below(ancestor); }

    [[nodiscard]] std::size_t count() const noexcept { return all_.size(); }
    // Waits for the end of each; false if one lives on.
    [[nodiscard]] bool end() const {
        for (const UniqueFd& one : all_) {
            pollfd watched{one.get(), POLLIN, 0};
            if (poll(&watched, 1, 1000 * static_cast<int>(watchdog_seconds)) != 1) {
                return false;
            }
        }
        return true;
    }

private:
    void add_those_below(pid_t parent) {
        for (const pid_t child : children_of(parent)) {
            UniqueFd one(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
            if (one) {
                all_.push_back(std::move(one));
            }
            add_those_below(child);
        }
    }

    std::vector<UniqueFd> all_;
};

}  // namespace syncspawn::testing
