#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <string>
#include <utility>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/sandbox/cgroup.hpp>

#include "cgroup_files.hpp"
#include "launch_cgroup.hpp"
#include "names.hpp"
#include "place.hpp"
#include "sweep.hpp"

namespace syncspawn::sandbox {
namespace {

// Its launcher holds a lock as long as it lives, whatever pid and start time it has in its namespaces.
bool is_held(int parent, const std::string& name) noexcept {
    const UniqueFd directory(
        openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    return !directory || flock(directory.get(), LOCK_EX | LOCK_NB) < 0;
}

bool is_empty(int parent, const std::string& name) {
    return number_in(parent, name + "/cgroup.events", "populated") == 0;
}

}  // namespace

std::size_t sweep_below(int parent) {
    std::size_t swept = 0;
    for (const std::string& name : cgroups_in(parent)) {
        const bool is_left_behind =
            is_of_dead_process(name) && is_empty(parent, name) && !is_held(parent, name);
        swept += is_left_behind && remove_cgroup(parent, name) == 0 ? 1U : 0U;
    }
    return swept;
}

std::size_t sweep_cgroups(const CgroupPlace& place) {
    OpenedPlace opened = open_place(place);
    if (!opened.directory) {
        throw CgroupError(std::move(opened.problems));
    }
    return sweep_below(opened.directory.get());
}

}  // namespace syncspawn::sandbox
