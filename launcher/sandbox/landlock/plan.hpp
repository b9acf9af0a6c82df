#pragma once

#include <cstdint>

#include <syncspawn/sandbox/landlock.hpp>

// What the words of <syncspawn/sandbox/landlock.hpp> are for a kernel of some version.

namespace syncspawn::sandbox {

// The version of this kernel, or the errno why there is none.
struct LandlockSupport {
    int version = 0;
    int error = 0;
};
LandlockSupport landlock_support() noexcept;

LandlockPlan plan_for(int version, const LandlockRules& rules,
                      const LandlockOptions& options) noexcept;

// Throws what landlock() throws where the plan does not suffice.
void require_sufficient(const LandlockPlan& plan, const LandlockOptions& options,
                        const LandlockSupport& support);

// landlock() on a kernel of this version, which may be older than the real one.
Step landlock_for(const LandlockSupport& support, const LandlockRules& rules,
                  const LandlockOptions& options);

// The kernel's bits of this access, and all of them that a kernel of this version knows.
std::uint64_t rights_of(LandlockAccess access) noexcept;
std::uint64_t rights_known_to(int version) noexcept;

}  // namespace syncspawn::sandbox
