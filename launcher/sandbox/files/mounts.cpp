#include <syncspawn/sandbox/mounts.hpp>

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "launcher/sandbox/child/mounts.hpp"
#include "plan.hpp"

namespace syncspawn::sandbox {

Step mounts(const std::vector<FileOperation>& operations, MountOptions options) {
    return {.name = "mounts",
            .child = shared_memory(
                [storage = std::make_shared<const MountStorage>(operations, options)](
                    ChildSide& side) { return lay_out_mounts(side, storage->plan()); })};
}

std::vector<FileOperation> take_missing(std::vector<FileOperation>& operations) {
    const auto is_there = [](const FileOperation& operation) {
        return operation.kind != FileOperation::Kind::bind || operation.descriptor >= 0 ||
               operation.missing_source != MissingSource::skip || !is_missing(operation.source);
    };
    const auto missing = std::stable_partition(operations.begin(), operations.end(), is_there);
    std::vector<FileOperation> taken(std::make_move_iterator(missing),
                                     std::make_move_iterator(operations.end()));
    operations.erase(missing, operations.end());
    return taken;
}

}  // namespace syncspawn::sandbox
