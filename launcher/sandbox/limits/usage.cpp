#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/sandbox/cgroup.hpp>

#include "cgroup_files.hpp"
#include "hierarchy.hpp"
#include "launch_cgroup.hpp"

namespace syncspawn::sandbox {
namespace {

// The files "hugetlb.SIZE.events", of all sizes.
std::optional<std::uint64_t> refused_huge_pages(int directory) {
    std::optional<std::uint64_t> sum;
    for (const std::string& name : files_in(directory)) {
        if (name.starts_with("hugetlb.") && name.ends_with("B.events")) {
            sum = sum.value_or(0) + number_in(directory, name, "max").value_or(0);
        }
    }
    return sum;
}

// hugetlb has a number where the others have "max".
bool is_beyond_all(const std::string& value) {
    constexpr std::size_t digits_of_2_to_the_62 = 19;
    return value.size() >= digits_of_2_to_the_62 &&
           value.find_first_not_of("0123456789") == std::string::npos;
}

// What limits: not "max", not the weight that all have.
bool is_limit(const std::string& file, const std::string& value) {
    const bool is_kind = file.ends_with(".max") || file == "cpu.weight" || file == "memory.high" ||
                         file == "memory.oom.group";
    const bool is_usual = value.empty() || value.starts_with("max") || is_beyond_all(value) ||
                          (file == "cpu.weight" && value == "100") ||
                          (file == "memory.oom.group" && value == "0");
    return is_kind && !file.starts_with("cgroup.") && !is_usual;
}

std::map<std::string, std::string> limits_in(int directory) {
    std::map<std::string, std::string> limits;
    for (const std::string& file : files_in(directory)) {
        std::string value = read_cgroup_file(directory, file).value_or("");
        value.erase(value.find_last_not_of('\n') + 1);
        if (is_limit(file, value)) {
            limits.emplace(file, value);
        }
    }
    return limits;
}

}  // namespace

CgroupUsage usage_of(int directory) {
    return {.memory_peak = number_in(directory, "memory.peak"),
            .swap_peak = number_in(directory, "memory.swap.peak"),
            .processes_peak = number_in(directory, "pids.peak"),
            .out_of_memory_kills = number_in(directory, "memory.events", "oom_kill"),
            .refused_forks = number_in(directory, "pids.events", "max"),
            .refused_huge_pages = refused_huge_pages(directory),
            .cpu_microseconds = number_in(directory, "cpu.stat", "usage_usec"),
            .throttled_microseconds = number_in(directory, "cpu.stat", "throttled_usec")};
}

CgroupState read_cgroup(pid_t process) {
    const auto path = directory_of_process(std::to_string(process));
    const UniqueFd directory(path ? open(path->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1);
    if (!directory) {
        throw std::system_error(errno, std::generic_category(),
                                "syncspawn: cgroup of process " + std::to_string(process));
    }
    return {*path, limits_in(directory.get()), usage_of(directory.get())};
}

}  // namespace syncspawn::sandbox
