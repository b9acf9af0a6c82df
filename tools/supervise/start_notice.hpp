#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include <syncspawn/launcher.hpp>

#include "supervise.hpp"

namespace syncspawn::tools {

// What a launch waits for that takes long, for the person at the terminal: one line on stderr, which goes again.
class StartNotice {
public:
    explicit StartNotice(Verbosity verbosity);
    StartNotice(const StartNotice&) = delete;
    StartNotice& operator=(const StartNotice&) = delete;
    ~StartNotice() { erase(); }

    // When to call update(); not set: never.
    [[nodiscard]] std::optional<Deadline> due() const noexcept { return due_; }
    void update(const LaunchWait& wait);
    void erase();

private:
    void write_line(std::string line);

    std::optional<Deadline> due_{};
    std::size_t width_ = 0;  // of what stands there
};

}  // namespace syncspawn::tools
