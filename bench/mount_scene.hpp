#pragma once

#include <string>
#include <vector>

// A mount namespace of the worker's with many mounts, or with many directories, below /mnt. Nobody else sees it, and it
// is gone with the worker.

namespace syncspawn::bench {

class MountScene {
public:
    enum class Kind { mounts, directories };

    // Made by a process with a single thread. Throws std::system_error.
    MountScene(Kind kind, int count);
    MountScene(const MountScene&) = delete;
    MountScene& operator=(const MountScene&) = delete;
    ~MountScene();

    // This process is in there from now on.
    void enter() const;
    static void leave();

    [[nodiscard]] const std::vector<std::string>& paths() const noexcept { return paths_; }

private:
    std::vector<std::string> paths_;
    int namespace_ = -1;
};

}  // namespace syncspawn::bench
