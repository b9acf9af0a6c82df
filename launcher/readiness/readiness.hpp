#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include <syncspawn/launcher/process.hpp>
#include <syncspawn/launcher/spawn_error.hpp>

#include "launcher/child/known_call.hpp"
#include "launcher/child/plan.hpp"
#include "launcher/plan/plan_storage.hpp"
#include "meeting.hpp"

namespace syncspawn::detail {

// How a program says that it is ready: one object for each launch, one file for each kind. The course
// calls it in the order of the functions and knows no kind by name:
//
//     open descriptors ... plan() ... start ... execve ... begin()
//     advance() until it is not `not_yet`; between two of them the course waits for polled()
//     leave_in(process)                 words_if_late() instead, where the time has passed
//
// What another kind would put where:
//  - a socket of sd_notify(3): plan() adds NOTIFY_SOCKET to the environment; polled() is the socket,
//    advance() reads datagrams until one says READY=1.
//  - a descriptor that the program writes to or closes: the kind opens a pipe when it is made. DescriptorSetup has to
//    be told of one end, as of those that the options pass; polled() is the other, advance() reads.
//  - a port that is listened on, a command that succeeds: nothing to poll, so look_again_at(); advance() looks.
//  - a line of output: polled() is the captured stream, and leave_in() hands over what was read too far.
//  - all of several: polled() is an epoll set of theirs, and advance() goes through them.
class Readiness {
public:
    enum class Answer { not_yet, ready, failed };
    // Why it cannot be any more. Cause::none: the other side aborted or is gone, and its end says why.
    struct Failure {
        WhichSide side = WhichSide::child;
        Cause cause = Cause::none;
        int error = 0;
        std::string detail{};
        KnownCall call = KnownCall::none;
    };

    Readiness() = default;
    Readiness(const Readiness&) = delete;
    Readiness& operator=(const Readiness&) = delete;
    virtual ~Readiness() = default;

    // Before the start: the variables that the program gets. What the plan then points to is this object's,
    // for as long as it lives.
    [[nodiscard]] virtual HandOverPlan plan(const PlanStorage& storage) = 0;
    // The program runs, and the time counts.
    virtual void begin() {}
    // One step on. Waits until then at most (none: for ever), for this alone; a time in the past: never.
    virtual Answer advance(const std::optional<Deadline>& may_wait_until) = 0;
    // What tells that there is more to do; beside it the course watches the process.
    [[nodiscard]] virtual Polled polled() const noexcept = 0;
    // When to advance in any case.
    [[nodiscard]] virtual std::optional<Deadline> look_again_at() const noexcept {
        return std::nullopt;
    }
    // After `failed`.
    [[nodiscard]] virtual Failure failure() const = 0;
    // What there is to say of a program that was not ready in time, to follow that sentence.
    [[nodiscard]] virtual std::string words_if_late(pid_t program) const = 0;
    // What the user keeps of it.
    virtual void leave_in(Process::State& state) = 0;
};

// The kind that the options ask for; null if the program has no part in the launch. `barrier` must stay
// where it is until leave_in() moves it out.
std::unique_ptr<Readiness> make_readiness(const PlanStorage& plan, Barrier& barrier);

}  // namespace syncspawn::detail
