#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/sandbox/cgroup.hpp>

#include "support/cgroup.hpp"

namespace syncspawn::testing {

// A cgroup with a controller: 'hugetlb' or 'pids', whichever no hierarchy of version 1 takes away. Where neither can be
// had, the test is left out and this converts to false. Test programs with it run one after the other.
class DelegatedCgroup {
public:
    DelegatedCgroup() {
        if (!*cgroup_) {
            return;
        }
        root_ = cgroup_->path().substr(0, cgroup_->path().rfind('/'));
        for (const char* const controller : {"hugetlb", "pids"}) {
            if (controller_.empty() && (is_there(controller) || enable(controller))) {
                controller_ = controller;
            }
        }
        if (controller_.empty()) {
            leave_out("no controller for cgroups of version 2");
        }
    }
    ~DelegatedCgroup() {
        cgroup_.reset();
        if (!enabled_.empty()) {
            write_to(root_ + "/cgroup.subtree_control", "-" + enabled_);
        }
    }
    DelegatedCgroup(const DelegatedCgroup&) = delete;
    DelegatedCgroup& operator=(const DelegatedCgroup&) = delete;
    explicit operator bool() const noexcept { return !controller_.empty(); }

    const Cgroup& operator*() const noexcept { return *cgroup_; }
    const Cgroup* operator->() const noexcept { return &*cgroup_; }

    [[nodiscard]] const std::string& controller() const noexcept { return controller_; }
    // One that needs the controller, and that no small program meets.
    [[nodiscard]] sandbox::CgroupLimits limits() const {
        constexpr std::uint64_t huge_page = 2U << 20U;
        return controller_ == "pids"
                   ? sandbox::CgroupLimits{.processes = 500}
                   : sandbox::CgroupLimits{.huge_pages = {{huge_page, huge_page}}};
    }
    // As the kernel has them.
    [[nodiscard]] std::map<std::string, std::string> limits_read_back() const {
        return controller_ == "pids"
                   ? std::map<std::string, std::string>{{"pids.max", "500"}}
                   : std::map<std::string, std::string>{{"hugetlb.2MB.max", "2097152"},
                                                        {"hugetlb.2MB.rsvd.max", "2097152"}};
    }

private:
    [[nodiscard]] bool is_there(const std::string& controller) const {
        std::string list = " " + read_file(cgroup_->path() + "/cgroup.controllers");
        std::replace(list.begin(), list.end(), '\n', ' ');
        return list.find(" " + controller + " ") != std::string::npos;
    }
    bool enable(const std::string& controller) {
        const bool is_enabled = write_to(root_ + "/cgroup.subtree_control", "+" + controller);
        enabled_ = is_enabled ? controller : "";
        return is_enabled && is_there(controller);
    }

    std::optional<Cgroup> cgroup_{std::in_place};
    std::string root_;
    std::string controller_;
    std::string enabled_;
};

// The cgroups right below.
inline std::vector<std::string> cgroups_below(const std::string& path) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
        if (entry.is_directory()) {
            names.push_back(entry.path().filename());
        }
    }
    return names;
}

}  // namespace syncspawn::testing
