#pragma once

#include <cstddef>
#include <string>

#include <syncspawn/sandbox/landlock.hpp>

#include "launcher/sandbox/policy/file_view.hpp"

namespace syncspawn::sandbox {

// What the program may learn of a hidden path.
enum class HiddenNames {
    // Not even what is in a hidden directory. The directories above it cannot be listed, either: Landlock allows
    // for whole trees alone.
    closed,
    // The names, by listing. What they are of stays closed.
    shown,
};

struct AllowListOptions {
    // A directory that stands in for the private tmp. The caller makes it, and removes it. Empty: there is none.
    std::string private_directory{};
    HiddenNames hidden_names = HiddenNames::closed;
    // How many siblings may be allowed in all. Each costs an open now, and a copy of its rule in every launch.
    std::size_t most_siblings = 10'000;
};

// The files of a policy held by Landlock alone. Landlock only allows, and for whole trees: so where a path has less
// than the directory that it is in, what the directory has is given to its entries one by one, from there down to
// that path, but for the way to it.
//
// What that cannot do, and mounts can:
//  - In a directory on that way nothing new can be made, removed or renamed; what others make there stays closed.
//    (It is stricter than the view, never weaker.)
//  - Names are found out by stat(2), whatever is hidden. With a hidden path, the directories above it cannot be
//    listed, or else its names are shown.
//  - Where a private tmp is wanted, what is in the host's cannot be opened, but listed; TMPDIR must name the private
//    directory.
//  - /dev is the host's: the usual devices and terminals can be opened, all others are closed, and so is /dev/shm.
//  - /proc shows the host's processes. All of it can be read and nothing written, but where a rule says so. Memory
//    and environment of processes outside are closed, since Landlock forbids to trace them.
//  - What chmod(2), utime(2), setxattr(2) and their kin change, they change in a read-only tree, too.
//
// Throws std::system_error: a directory cannot be read for another reason than its permissions, or has more
// entries than most_siblings leaves (E2BIG).
LandlockRules allow_list(const FileView& view, const AllowListOptions& options = {});

}  // namespace syncspawn::sandbox
