#pragma once

#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <vector>

#include "support/peer.hpp"

namespace syncspawn::testing {

// In a peer: it has no privileges from now on, and these supplementary groups if it was root. Its files in
// /proc are its own again, as they are after execve.
inline void become_ordinary_user(const std::vector<gid_t>& groups = {}) noexcept {
    constexpr unsigned nobody = 65534;
    if (geteuid() == 0) {
        expect(setgroups(groups.size(), groups.data()) == 0);
        expect(setresgid(nobody, nobody, nobody) == 0 && setresuid(nobody, nobody, nobody) == 0);
    }
    expect(prctl(PR_SET_DUMPABLE, 1) == 0);
}

}  // namespace syncspawn::testing
