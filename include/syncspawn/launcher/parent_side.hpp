#pragma once

#include <sys/types.h>

#include <concepts>
#include <memory>
#include <optional>
#include <system_error>
#include <typeinfo>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/launcher/side.hpp>

/// syncspawn::ParentSide: what a part of the parent sees of its launch, and how it waits.
///
///     spawner.step({
///         .name = "network",
///         .parent = [](syncspawn::ParentSide& side) -> std::error_code {
///             Helper& helper = side.state<Helper>();  // one for each launch
///             if (!helper.has_begun()) {
///                 helper.begin(side.child_pid());
///             }
///             return helper.is_done() ? side.done() : side.wait_for(helper.descriptor());
///         },
///         .undo = [](syncspawn::ParentSide& side) { side.state<Helper>().end(); },
///     });

namespace syncspawn {

namespace detail {

// What a part of the parent waits for, as it has said.
struct PartWait {
    bool is_asked_for = false;
    int descriptor = -1;  // none: for a time
    std::optional<Deadline> until{};
    bool is_past_deadline = false;
};

// What a step keeps in one launch.
struct PartState {
    std::shared_ptr<void> value{};
    const std::type_info* type = nullptr;
};

struct PartCall {
    PartWait wait{};
    PartState state{};
};

}  // namespace detail

class SYNCSPAWN_API ParentSide : public Side {
public:
    ParentSide(detail::FailureSlot& slot, pid_t child_pid, int child_pidfd,
               std::optional<Deadline> deadline, detail::PartCall& call) noexcept
        : Side(slot),
          child_pid_(child_pid),
          child_pidfd_(child_pidfd),
          deadline_(deadline),
          call_(&call) {}
    /// In the parent's pid namespace. Not reaped while a part runs, so it names nothing else; in an `undo`, though, the
    /// child is reaped, and this is only the number that it had. Where the
    /// child shares memory, its /proc/PID/oom_score_adj is that of this process: set it after spawn(),
    /// or ask for StartMethod::copied_memory. Ask for that, too, to move the child into a cgroup (the
    /// option `cgroup` needs no such care): when the memory of a cgroup runs out, the kernel judges each
    /// process in it by all its memory, shared or not, and kills all that share it, wherever they are.
    [[nodiscard]] pid_t child_pid() const noexcept { return child_pid_; }
    /// Borrowed; -1 before Linux 5.3, and in an `undo`.
    [[nodiscard]] int child_pidfd() const noexcept { return child_pidfd_; }
    /// When the setup must be done, if there is a limit. A part is not interrupted at it, so one
    /// that waits by itself should look; wait_for() does.
    [[nodiscard]] std::optional<Deadline> deadline() const noexcept { return deadline_; }

    /// Not done yet: `return side.wait_for(fd);`. The part is called again once the descriptor is readable
    /// or hung up, or the deadline has passed. Until then nothing blocks: other launches of the same
    /// event loop go on, and this one still sees its child die, its setup time out (the error says that the
    /// parent waits for this descriptor) and its caller cancel. Keep the descriptor open until then.
    /// One that is not open is EBADF, in the name of the step. From the first wait on the step
    /// counts as one that has done something: if the launch fails, its `undo` runs.
    /// A regular file is always readable (poll(2)), and the part called without a pause.
    [[nodiscard]] std::error_code wait_for(int descriptor) noexcept;
    [[nodiscard]] std::error_code wait_for(int descriptor, Deadline deadline) noexcept;
    /// The same for time alone: to look again at what tells of itself by no descriptor.
    [[nodiscard]] std::error_code wait_until(Deadline deadline) noexcept;
    /// The part is called again because the deadline that it had named has passed.
    [[nodiscard]] bool is_past_deadline() const noexcept { return call_->wait.is_past_deadline; }

    /// What the part must remember from call to call: one object for each step and launch,
    /// default-constructed when it is first asked for. The step's `undo` sees the same; when the launch is over it
    /// is destroyed, that of the last step first, and behind its undo. Throws std::logic_error if it was of
    /// another type before.
    template <std::default_initializable State>
    [[nodiscard]] State& state() {
        if (call_->state.value == nullptr) {
            call_->state = {std::make_shared<State>(), &typeid(State)};
        }
        require_type(typeid(State));
        return *static_cast<State*>(call_->state.value.get());
    }

private:
    void require_type(const std::type_info& type) const;
    std::error_code wait(const detail::PartWait& wait) noexcept;

    pid_t child_pid_;
    int child_pidfd_;
    std::optional<Deadline> deadline_;
    detail::PartCall* call_;
};

}  // namespace syncspawn
