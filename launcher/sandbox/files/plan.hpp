#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "launcher/sandbox/child/mounts.hpp"
#include "source.hpp"

namespace syncspawn::sandbox {

// All that the child's plan points to. It stays where it is.
class MountStorage {
public:
    // Throws std::invalid_argument and std::system_error.
    MountStorage(const std::vector<FileOperation>& operations, const MountOptions& options);
    MountStorage(const MountStorage&) = delete;
    MountStorage& operator=(const MountStorage&) = delete;
    ~MountStorage() = default;

    [[nodiscard]] const MountPlan& plan() const noexcept { return plan_; }

private:
    void add(const FileOperation& operation);
    void add_bind(MountAction& action, const FileOperation& operation, const std::string& what);
    void add_overlay(MountAction& action, const FileOperation& operation, const std::string& what);
    void add_proc(MountAction& action, const FileOperation& operation);
    void add_devices(MountAction& action, const FileOperation& operation, const std::string& what);
    std::span<const KernelFile> keep_existing(std::span<const KernelFile> files);
    const char* keep(std::string text);
    MountSource keep(LookedUp found);

    std::deque<std::string> texts_{};  // whose elements stay where they are
    std::deque<std::vector<MountSource>> sources_{};
    std::deque<std::vector<DeviceNode>> nodes_{};
    std::deque<std::vector<KernelFile>> kernel_files_{};
    std::vector<MountAction> actions_{};
    int data_count_ = 0;
    int own_file_systems_ = 0;
    MountPlan plan_{};
};

}  // namespace syncspawn::sandbox
