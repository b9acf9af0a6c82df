#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <syncspawn/sandbox/mounts.hpp>

#include "decision.hpp"
#include "file_view.hpp"

namespace syncspawn::sandbox {

// The operations that make a view, in their order: what is above comes first, so the longest path wins.
struct FileOperations {
    std::vector<FileOperation> all{};
    MountOptions options{};
};
FileOperations operations_of(const FileView& view, ProcBy proc,
                             std::optional<std::uint64_t> memory = {});

}  // namespace syncspawn::sandbox
