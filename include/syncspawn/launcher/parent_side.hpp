#pragma once

#include <sys/types.h>

#include <concepts>
#include <memory>
#include <optional>
#include <system_error>
#include <typeinfo>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/side.hpp>

/// syncspawn::ParentSide: the child, as your code in the parent sees it, and how that code waits.
///
///     #include <cerrno>
///     #include <syncspawn/launcher.hpp>
///
///     // Starts a helper, and is done when the helper has ended well.
///     std::error_code run_helper(syncspawn::ParentSide& side) {
///         syncspawn::Process& helper = side.state<syncspawn::Process>();  // empty at the first call
///         if (!helper) {
///             helper = syncspawn::SyncedSpawner({.program = "sleep", .arguments = {"0.1"}}).spawn();
///         }
///         const auto status = helper.try_wait();
///         if (!status) {
///             return side.wait_for(helper.pidfd());  // not yet: call me again once this is readable
///         }
///         return status->success() ? side.done() : side.fail(ECANCELED, "the helper");
///     }
///
///     int main() {
///         syncspawn::SyncedSpawner spawner({.program = "true"});
///         spawner.step({.name = "network", .parent = run_helper});
///         return spawner.spawn().wait().shell_code();
///     }
///
/// A part that waits need not block. It says what it waits for, returns, and is called again. What it must
/// remember until then is in state(); here that is the helper itself, which ends with a launch that fails.

namespace syncspawn {

struct Step;

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

class StandardStreams;
class SentDescriptors;

struct PartCall {
    const Step* step = nullptr;
    PartWait wait{};
    PartState state{};
    StandardStreams* streams = nullptr;  // none where there is no child
    SentDescriptors* sent = nullptr;     // the same
    int* cgroup = nullptr;               // before the start alone
    bool is_child_gone = false;
};

}  // namespace detail

/// What a parent's part is called with. Valid during that call; use it in the thread that is called.
class SYNCSPAWN_API ParentSide : public Side {
public:
    ParentSide(detail::FailureSlot& slot, pid_t child_pid, int child_pidfd,
               std::optional<Deadline> deadline, detail::PartCall& call) noexcept
        : Side(slot),
          child_pid_(child_pid),
          child_pidfd_(child_pidfd),
          deadline_(deadline),
          call_(&call) {}
    /// The child's pid, as this process sees it. The child is not reaped before the part returns, so the
    /// number belongs to nobody else. (In `undo` and `after_end` the child is gone, and the number is for your
    /// log. In `before_start`, and in `undo` if no child was started, it is -1.)
    ///
    /// A child that shares memory with you (StartMethod::shared_memory) bears two things badly:
    ///  - Writing its /proc/PID/oom_score_adj changes your own. Do it in Step::after_execve.
    ///  - Moving it into another cgroup. When the memory of that runs out, the kernel counts all of *your*
    ///    memory as the child's, and kills you both. The option `birth.cgroup` avoids that.
    /// Or ask for StartMethod::copied_memory.
    ///
    /// Until it has executed its program, such a child sends no SIGCHLD when it ends, and waitpid(2) finds it
    /// only with `__WALL`. has_ended() finds every child.
    [[nodiscard]] pid_t child_pid() const noexcept { return child_pid_; }
    /// Borrowed; -1 before Linux 5.3, and where there is no child: in `before_start`, `undo` and `after_end`.
    [[nodiscard]] int child_pidfd() const noexcept { return child_pidfd_; }
    /// Whether the child, or the program that it has become, has ended. False before it was started.
    [[nodiscard]] bool has_ended() const noexcept;
    /// When the setup must be done (`setup.within`), if it must. Nobody interrupts a part that blocks beyond
    /// that, so one that does should look here. wait_for() looks by itself.
    [[nodiscard]] std::optional<Deadline> deadline() const noexcept { return deadline_; }

    /// "Not yet": `return side.wait_for(fd);`. The part is called again once the descriptor is readable or
    /// hung up, or `deadline`, if you give one, has passed. Keep the descriptor open until then.
    ///
    /// Meanwhile the launch goes on watching: it fails if the child dies, if its caller cancels, or if the
    /// setup takes too long (the error names this descriptor). Other launches of the same event loop go on.
    ///
    /// A regular file is always readable: a part that waits for one is called again at once.
    /// A descriptor that is not open fails the step with EBADF. A part that has waited counts as one that has
    /// done something: if the launch fails, the step's `undo` runs.
    [[nodiscard]] std::error_code wait_for(int descriptor) noexcept;
    [[nodiscard]] std::error_code wait_for(int descriptor, Deadline deadline) noexcept;
    /// The same for time alone: to look again later at something that has no descriptor.
    [[nodiscard]] std::error_code wait_until(Deadline deadline) noexcept;
    /// True if this call comes because the deadline of the last wait has passed.
    [[nodiscard]] bool is_past_deadline() const noexcept { return call_->wait.is_past_deadline; }

    /// What the part remembers from call to call: one object for each step and launch. The first call of
    /// state() default-constructs it, and all parts of the step see the same one. The end of the launch
    /// destroys it: that of the last step first, each after its undo. In a step with `after_end` it lasts until
    /// that has run, or the Process is gone. Throws std::logic_error if an earlier call was for another type.
    template <std::default_initializable State>
    [[nodiscard]] State& state() {
        if (call_->state.value == nullptr) {
            call_->state = {std::make_shared<State>(), &typeid(State)};
        }
        require_type(typeid(State));
        return *static_cast<State*>(call_->state.value.get());
    }

    /// Moves your end of a Stdio::pipe() out, before the program runs: for a thread that drains it, or a part
    /// that answers what another step asks. You own what is returned (keep it in state(), or hand it on); the
    /// Process has none then. Throws std::logic_error if there is none, it was moved out, or there is no child
    /// (in `before_start`, `undo` and `after_end`).
    [[nodiscard]] UniqueFd take_standard_input() { return take_stream(0); }
    [[nodiscard]] UniqueFd take_standard_output() { return take_stream(1); }
    [[nodiscard]] UniqueFd take_standard_error() { return take_stream(2); }

    /// The next descriptor that the child's parts of this step have sent (ChildSide::send_descriptor()), in
    /// their order. You own it; it is close-on-exec. What nobody takes is closed at the end of the launch.
    /// Throws std::logic_error if none has come, or there is no child.
    ///
    /// Do not trust what it is: a child may have been taken over by now (in a namespace of somebody else, for
    /// one). If it has sent anything but what the step says, the step fails with EPROTO.
    [[nodiscard]] UniqueFd take_descriptor();

    /// In Step::before_start: the child of this launch is born into this cgroup, as if `birth.cgroup` were it.
    /// A descriptor of its directory; borrowed until the launch is over (keep it in state()).
    /// KillScope::cgroup then means this one. Throws std::logic_error in any other part, and if `birth.cgroup`
    /// or another step has chosen one already; std::invalid_argument if the descriptor is negative.
    void set_cgroup(int directory);

private:
    UniqueFd take_stream(int number);
    void require_type(const std::type_info& type) const;
    std::error_code wait(const detail::PartWait& wait) noexcept;

    pid_t child_pid_;
    int child_pidfd_;
    std::optional<Deadline> deadline_;
    detail::PartCall* call_;
};

}  // namespace syncspawn
