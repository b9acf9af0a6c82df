#pragma once

// Counts the allocations of this process in a stretch of code. A program that includes this links
// syncspawn_allocation_trap, which replaces malloc(3) and its kin (or hooks them, where a
// sanitizer has already replaced them); operator new ends up there as well.

namespace syncspawn::testing {

class AllocationTrap {
public:
    AllocationTrap() noexcept;
    AllocationTrap(const AllocationTrap&) = delete;
    AllocationTrap& operator=(const AllocationTrap&) = delete;
    ~AllocationTrap();

    // How many there were since the trap was armed.
    long allocations() const noexcept;
};

}  // namespace syncspawn::testing
