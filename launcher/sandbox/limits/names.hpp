#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace syncspawn::sandbox {

// What a cgroup of ours is for. The name of its directory says so, and whose it is:
// syncspawn-launch-PID-START-NAMESPACE-NUMBER, with the start time and the pid namespace of the process that has
// made it.
enum class CgroupUse {
    launch,  // of one launch
    caller,  // where this process has moved to
    trial,   // removed at once
};

std::string name_of_cgroup(CgroupUse use, std::uint64_t number);
bool is_name_of(CgroupUse use, std::string_view name) noexcept;

// Whether such a name is that of a process that is known to be dead. Of another pid namespace nothing is known.
bool is_of_dead_process(std::string_view name) noexcept;

}  // namespace syncspawn::sandbox
