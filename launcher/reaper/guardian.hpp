#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <syncspawn/barrier/visibility.h>
#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::detail {

// A symbolic link that is to be removed if nobody else needs it.
struct GuardedLink {
    int directory;
    std::string name;
    std::int64_t byte;   // of the file of locks: a shared lock says that somebody needs it
    std::string record;  // its file in the registry, which goes with it
};

struct GuardedLinks {
    int locks;
    int registry;
    std::string target;  // what a link must say to be removed
    std::vector<GuardedLink> links;
};

// A process that removes links once the sandbox that needs them has ended, if this process does not: README.md,
// "The guardian". For the library's other parts.
class SYNCSPAWN_API Guardian {
public:
    Guardian() = default;
    Guardian(Guardian&&) = default;
    Guardian& operator=(Guardian&&) = default;
    ~Guardian();  // dismisses it

    // Empty, with errno, if there is none: before Linux 5.3, and where memory may not be executed. All descriptors are
    // numbered 4 or higher.
    static Guardian start(const GuardedLinks& links);

    explicit operator bool() const noexcept { return static_cast<bool>(process_); }
    // The sandbox's first process, by its pidfd. Until this is told, it is this process that is watched.
    void watch(int process) noexcept;
    // It is gone, whatever it was doing.
    void dismiss() noexcept;
    // It stays, for a copy of this process by fork(2) has nothing to say to it.
    void leave() noexcept;

private:
    UniqueFd socket_{};
    UniqueFd process_{};
};

}  // namespace syncspawn::detail
