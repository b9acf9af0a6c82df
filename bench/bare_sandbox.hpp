#pragma once

#include <string>
#include <vector>

// A sandbox with nothing but its system calls: what the launch of ours is compared with.

namespace syncspawn::bench {

enum class FirstInside {
    program,
    reaper,  // init.c, with the program as its child
};

// Into all namespaces but the time namespace, with the host's tree read-only, a new /proc with the same covers as
// ours, the same /dev, and a loopback device. The child maps its own id; memory is shared until execve. No answer is
// looked at twice, and no source is compared with what it was before.
class BareSandbox {
public:
    // Of those that this kernel has, in /proc.
    struct KernelFiles {
        std::vector<const char*> read_only, covered_directories, covered_files;
    };

    BareSandbox(std::string program, const std::string& init, FirstInside first);
    BareSandbox(const BareSandbox&) = delete;
    BareSandbox& operator=(const BareSandbox&) = delete;
    ~BareSandbox();

    // Until the program is reaped.
    void launch() const;

private:
    void set_up() const noexcept;

    std::string program_;
    int init_;
    FirstInside first_;
    KernelFiles kernel_files_;
    char users_[32]{}, groups_[32]{};
};

}  // namespace syncspawn::bench
