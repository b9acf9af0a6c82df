#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include <syncspawn/launcher/ending.hpp>

#include "child_handle.hpp"

namespace syncspawn::detail {

// Carries stop actions out, without waiting itself: whoever calls it sleeps, or leaves that to an event loop.
class Stopping {
public:
    // The actions are borrowed.
    explicit Stopping(std::span<const StopAction> actions) noexcept : actions_(actions) {}

    // Goes on as far as it can. True once there is no more to do: see has_ended(). Until then, to be called
    // again when the child has ended, or the deadline has passed. Does not reap.
    bool advance(const ChildHandle& child);
    // Of the action that is under way; none: it waits for the end alone.
    [[nodiscard]] const std::optional<Deadline>& deadline() const noexcept { return deadline_; }
    [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }
    // The errno of the last signal if that was refused, or 0.
    [[nodiscard]] int error() const noexcept { return error_; }

private:
    void begin(const StopAction& action, const ChildHandle& child);
    bool ask_to_end(int signal, const ChildHandle& child) noexcept;

    std::span<const StopAction> actions_;
    std::size_t next_ = 0;
    bool is_under_way_ = false;
    std::optional<Deadline> deadline_;
    bool has_ended_ = false;
    int error_ = 0;
};

}  // namespace syncspawn::detail
