#pragma once

#include <string>

namespace syncspawn::tools::bwrap {

// What this program says on stderr, as callers of bubblewrap know it.
class Speaker {
public:
    // --level-prefix: each line begins with its severity, as those of the kernel's log do.
    void tell_levels() noexcept { tells_levels_ = true; }
    void fail(const std::string& what) const;
    void warn(const std::string& what) const;

private:
    void say(int level, const std::string& what) const;
    bool tells_levels_ = false;
};

}  // namespace syncspawn::tools::bwrap
