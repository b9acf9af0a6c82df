#include "inherited_descriptors.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>
#include <system_error>

namespace syncspawn::tools {
namespace {

bool stays_open(int fd) {
    const int flags = fcntl(fd, F_GETFD);
    return fd > STDERR_FILENO && flags >= 0 && (flags & FD_CLOEXEC) == 0;
}

// Without /proc all numbers are tried.
std::vector<int> candidates() {
    const std::unique_ptr<DIR, int (*)(DIR*)> open_ones(opendir("/proc/self/fd"), closedir);
    std::vector<int> numbers;
    if (open_ones == nullptr) {
        constexpr int most = 65536;
        const int end = std::min(getdtablesize(), most);
        for (int fd = 0; fd < end; ++fd) {
            numbers.push_back(fd);
        }
        return numbers;
    }
    while (const dirent* entry = readdir(open_ones.get())) {
        const std::string_view name = entry->d_name;
        int number = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), number).ec == std::errc{}) {
            numbers.push_back(number);  // not "." and ".."
        }
    }
    return numbers;
}

}  // namespace

std::vector<PassedDescriptor> inherited_descriptors() {
    std::vector<PassedDescriptor> inherited;
    for (const int fd : candidates()) {
        if (stays_open(fd)) {
            inherited.push_back({.from = fd, .to = fd});
        }
    }
    return inherited;
}

}  // namespace syncspawn::tools
