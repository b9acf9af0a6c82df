#pragma once

#include <cstddef>

#include "launcher/child/launch_record.hpp"

namespace syncspawn::detail {

// Owns the memory: a mapping that fork does not copy, or where all memory is shared for certain, plain
// memory of the heap, which costs a tenth of a mapping. Throws std::system_error(ENOMEM) or
// std::bad_alloc.
class LaunchRecordMemory {
public:
    enum class Place { mapping, heap };
    LaunchRecordMemory(std::size_t item_count, Place place);
    ~LaunchRecordMemory();
    LaunchRecordMemory(const LaunchRecordMemory&) = delete;
    LaunchRecordMemory& operator=(const LaunchRecordMemory&) = delete;
    LaunchRecord& operator*() const noexcept { return *record_; }

private:
    LaunchRecord* record_;
    std::size_t size_;
    bool is_mapped_;
};

}  // namespace syncspawn::detail
