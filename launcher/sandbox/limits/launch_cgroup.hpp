#pragma once

#include <cstdint>
#include <string>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/sandbox/cgroup.hpp>

#include "names.hpp"
#include "settings.hpp"

namespace syncspawn::sandbox {

// A call that failed, and its errno; 0 if none has.
struct CgroupFailure {
    std::string call{};
    int error = 0;
};

// The cgroup of one launch. Its destructor leaves it alone: who lets the program go may want it.
class LaunchCgroup {
public:
    // Makes it below `parent`. Held by a lock, which says to those who sweep that somebody lives for it.
    [[nodiscard]] CgroupFailure make(int parent, const std::string& path, CgroupUse use);
    // The errno, or 0.
    [[nodiscard]] int set(const CgroupSetting& setting) const;
    // -1 if it was not made, or is removed.
    [[nodiscard]] int directory() const noexcept { return directory_.get(); }

    // Kills all that is in it and below it, and waits until nothing runs there any more, though not for ever.
    [[nodiscard]] CgroupFailure kill() const;
    [[nodiscard]] CgroupUsage usage() const;
    // With those below it.
    [[nodiscard]] CgroupFailure remove();

private:
    UniqueFd parent_;
    std::string path_;
    std::string name_;
    UniqueFd directory_;
};

CgroupUsage usage_of(int directory);

// For LaunchCgroup and those who sweep: the errno, or 0.
int remove_cgroup(int parent, const std::string& name);
// What a kernel without cgroup.kill has (before Linux 5.14). False: something is out of reach.
bool kill_one_by_one(int directory);

}  // namespace syncspawn::sandbox
