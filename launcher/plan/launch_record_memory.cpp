#include "launch_record_memory.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <memory>
#include <new>
#include <system_error>

namespace syncspawn::detail {

LaunchRecordMemory::LaunchRecordMemory(std::size_t item_count, Place place)
    : size_(sizeof(LaunchRecord) + 2 * item_count * sizeof(Times)),
      is_mapped_(place == Place::mapping) {
    void* memory =
        is_mapped_ ? mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
                   : ::operator new(size_);
    if (memory == MAP_FAILED) {
        throw std::system_error(errno, std::generic_category(), "mmap of the launch record");
    }
    record_ = new (memory) LaunchRecord{};
    std::uninitialized_value_construct_n(&record_->times(WhichSide::parent, 0), 2 * item_count);
    record_->child_item = item_none;
}

LaunchRecordMemory::~LaunchRecordMemory() {
    if (is_mapped_) {
        munmap(record_, size_);
    } else {
        ::operator delete(record_);
    }
}

}  // namespace syncspawn::detail
