#pragma once

#include <string>
#include <vector>

#include <syncspawn/sandbox/cgroup.hpp>

namespace syncspawn::sandbox {

// What is written into one file of a new cgroup.
struct CgroupSetting {
    std::string limit;  // the member of CgroupLimits
    std::string controller;
    std::string file;
    std::string text;
    // Not asked for, but meant: left out where the kernel does not have the file.
    bool is_implied = false;
};

// Throws std::invalid_argument for a limit that makes no sense, and std::system_error for a device that is not
// there.
std::vector<CgroupSetting> settings_of(const CgroupLimits& limits);

// The controllers that they need, each once.
std::vector<std::string> controllers_of(const std::vector<CgroupSetting>& settings);

}  // namespace syncspawn::sandbox
