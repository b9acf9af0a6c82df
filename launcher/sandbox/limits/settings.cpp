#include "settings.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace syncspawn::sandbox {
namespace {

void require(bool is_met, const std::string& rule) {
    if (!is_met) {
        throw std::invalid_argument("syncspawn: cgroup: " + rule);
    }
}

void add_memory(const CgroupLimits& limits, std::vector<CgroupSetting>& settings) {
    if (limits.memory) {
        require(*limits.memory > 0, "no program fits in a memory of 0 bytes");
        settings.push_back({"memory", "memory", "memory.max", std::to_string(*limits.memory)});
    }
    if (limits.memory_high) {
        settings.push_back(
            {"memory_high", "memory", "memory.high", std::to_string(*limits.memory_high)});
    }
    if (limits.swap) {
        settings.push_back({"swap", "memory", "memory.swap.max", std::to_string(*limits.swap)});
    } else if (limits.memory) {
        settings.push_back({"swap", "memory", "memory.swap.max", "0", true});
    }
    if (limits.out_of_memory == OutOfMemory::kills_all) {
        settings.push_back({"out_of_memory", "memory", "memory.oom.group", "1"});
    }
}

// Where the usual one is 100.
std::string weight_of(const char* limit, unsigned weight) {
    constexpr unsigned most = 10'000;
    require(weight >= 1 && weight <= most, std::string(limit) + " is a number from 1 to 10000");
    return std::to_string(weight);
}

void add_cpus(const CgroupLimits& limits, std::vector<CgroupSetting>& settings) {
    constexpr double period = 100'000;  // microseconds
    constexpr double least = 0.01;      // the kernel takes no less than a millisecond of a period
    constexpr double most = 1'000'000;
    if (limits.cpus) {
        require(*limits.cpus >= least && *limits.cpus <= most,
                "cpus is a number from 0.01 to 1000000");
        const auto quota = static_cast<std::uint64_t>(std::llround(*limits.cpus * period));
        settings.push_back({"cpus", "cpu", "cpu.max", std::to_string(quota) + " 100000"});
    }
    if (limits.cpu_weight) {
        settings.push_back(
            {"cpu_weight", "cpu", "cpu.weight", weight_of("cpu_weight", *limits.cpu_weight)});
    }
}

bool is_device_number(const std::string& text) {
    const std::size_t colon = text.find(':');
    const auto is_number = [](std::string_view digits) {
        return !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
    };
    return colon != std::string::npos && is_number(std::string_view(text).substr(0, colon)) &&
           is_number(std::string_view(text).substr(colon + 1));
}

// "8:0".
std::string number_of_device(const std::string& device) {
    if (is_device_number(device)) {
        return device;
    }
    require(device.starts_with('/'), "'" + device + R"(' is no device: say "/dev/sda" or "8:0")");
    struct stat about {};
    if (stat(device.c_str(), &about) < 0) {
        throw std::system_error(errno, std::generic_category(), device);
    }
    require(S_ISBLK(about.st_mode), "'" + device + "' is no block device");
    return std::to_string(major(about.st_rdev)) + ":" + std::to_string(minor(about.st_rdev));
}

void add_io(const CgroupLimits& limits, std::vector<CgroupSetting>& settings) {
    for (const IoLimit& limit : limits.io) {
        std::string text = number_of_device(limit.device);
        for (const auto& [key, value] : {std::pair{" rbps=", limit.read_bytes},
                                         {" wbps=", limit.write_bytes},
                                         {" riops=", limit.read_operations},
                                         {" wiops=", limit.write_operations}}) {
            require(!value || *value > 0, "0 operations would stop the program for good");
            text += value ? key + std::to_string(*value) : "";
        }
        require(text.find(' ') != std::string::npos, "'" + limit.device + "' has no limit");
        settings.push_back({"io", "io", "io.max", text});
    }
    if (limits.io_weight) {
        settings.push_back({"io_weight", "io", "io.weight",
                            "default " + weight_of("io_weight", *limits.io_weight)});
    }
}

// As the kernel has it in the names of its files: "2MB".
std::string name_of_page_size(std::uint64_t bytes) {
    constexpr std::uint64_t least = 1024;
    require(std::has_single_bit(bytes) && bytes >= least,
            std::to_string(bytes) + " bytes is the size of no huge page");
    constexpr std::string_view units[] = {"KB", "MB", "GB"};
    std::size_t unit = 0;
    for (bytes /= least; bytes >= least && unit + 1 < std::size(units); bytes /= least) {
        ++unit;
    }
    return std::to_string(bytes) + std::string(units[unit]);
}

void add_huge_pages(const CgroupLimits& limits, std::vector<CgroupSetting>& settings) {
    for (const HugePageLimit& limit : limits.huge_pages) {
        const std::string name = "hugetlb." + name_of_page_size(limit.page_size);
        const std::string bytes = std::to_string(limit.bytes);
        settings.push_back({"huge_pages", "hugetlb", name + ".max", bytes});
        // By this mmap(2) fails, rather than the first touch (Linux 5.7).
        settings.push_back({"huge_pages", "hugetlb", name + ".rsvd.max", bytes, true});
    }
}

}  // namespace

std::vector<CgroupSetting> settings_of(const CgroupLimits& limits) {
    std::vector<CgroupSetting> settings;
    add_memory(limits, settings);
    if (limits.processes) {
        require(*limits.processes > 0, "no program fits in 0 processes");
        settings.push_back({"processes", "pids", "pids.max", std::to_string(*limits.processes)});
    }
    add_cpus(limits, settings);
    add_io(limits, settings);
    add_huge_pages(limits, settings);
    return settings;
}

std::vector<std::string> controllers_of(const std::vector<CgroupSetting>& settings) {
    std::vector<std::string> controllers;
    for (const CgroupSetting& setting : settings) {
        if (std::find(controllers.begin(), controllers.end(), setting.controller) ==
            controllers.end()) {
            controllers.push_back(setting.controller);
        }
    }
    return controllers;
}

}  // namespace syncspawn::sandbox
