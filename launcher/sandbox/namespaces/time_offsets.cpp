#include "time_offsets.hpp"

#include <sys/utsname.h>

#include <charconv>
#include <string_view>

namespace syncspawn::sandbox {

// The kernel does not say so otherwise before it is too late. Where this misjudges a patched kernel, the older
// way works, too.
TimeEntry time_entry_here() {
    utsname system{};
    unsigned major = 0;
    unsigned minor = 0;
    if (uname(&system) == 0) {
        const std::string_view release = system.release;
        const char* const end = release.data() + release.size();
        const auto [dot, error] = std::from_chars(release.data(), end, major);
        if (error == std::errc() && dot != end) {
            std::from_chars(dot + 1, end, minor);
        }
    }
    return major > 6 || (major == 6 && minor >= 3) ? TimeEntry::by_execve : TimeEntry::at_once;
}

}  // namespace syncspawn::sandbox
