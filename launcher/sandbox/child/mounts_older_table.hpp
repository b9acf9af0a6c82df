#pragma once

#include <climits>
#include <cstddef>

// The mounts of this process's namespace, as /proc/self/mountinfo lists them (proc(5)).

namespace syncspawn::sandbox::older {

struct MountLine {
    int id = 0;
    int parent = 0;
    unsigned long flags = 0;     // MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC
    const char* path = nullptr;  // of the mount point: not ended, and with escapes
    std::size_t path_size = 0;
};

class MountTable {
public:
    MountTable() noexcept = default;
    MountTable(const MountTable&) = delete;
    MountTable& operator=(const MountTable&) = delete;
    ~MountTable() { let_go(); }

    // False with errno.
    bool read() noexcept;
    // The next one; `at` begins as null. False at the end.
    bool next(const char*& at, MountLine& line) const noexcept;

private:
    void let_go() noexcept;

    char* text_ = nullptr;  // memory of its own, which ends with a NUL
    std::size_t room_ = 0;
};

// Writes the path without escapes, less `skipped` characters at its beginning; false if there is no room.
bool copy_path(const MountLine& line, std::size_t skipped, char (&path)[PATH_MAX]) noexcept;

// The id of what the descriptor leads to; -1 with errno.
int mount_id(int fd) noexcept;

}  // namespace syncspawn::sandbox::older
