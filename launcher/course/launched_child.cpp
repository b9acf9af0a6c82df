#include "launched_child.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include "barrier/linux/own_pid.hpp"
#include "barrier/linux/proc.hpp"
#include "launcher/result/hints.hpp"
#include "launcher/result/process_state.hpp"
#include "launcher/result/spawn_error_facts.hpp"

namespace syncspawn::detail {
namespace {

// Around a start, so that no handler of the parent runs in the child. A child that is alone has none from its first
// instruction on, and runs no part: whatever signal reaches it early ends it as it would right behind execve.
class SignalsBlocked {
public:
    SignalsBlocked() noexcept {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &callers_mask_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &callers_mask_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;
    [[nodiscard]] const sigset_t& callers_mask() const noexcept { return callers_mask_; }

private:
    sigset_t callers_mask_{};
};

bool is_first_thread() noexcept { return syscall(SYS_gettid) == own_pid(); }

std::string why_it_survives(pid_t pid) {
    if (::kill(pid, 0) < 0 && errno == EPERM) {
        return "this process may not signal it";
    }
    const std::string state =
        proc::is_of_this_pid_namespace() ? proc::status_text(pid, "State:") : "";
    return state.starts_with('D') ? "it is frozen, or in an uninterruptible call (state D)"
           : state.empty()        ? "it has not ended in five seconds"
                                  : "it has not ended in five seconds, and is in state " + state;
}

}  // namespace

LaunchedChild::~LaunchedChild() {
    if (is_record_lost_) {
        static_cast<void>(record_memory_.release());
    }
}

void LaunchedChild::open() {
    descriptors_.emplace(definition_->options, definition_->entries, cgroup_,
                         definition_->plan.hands_over(), streams_);
    sent_.open(descriptors_->take_channel());
    kill_reach_ = KillReach(definition_->options.ending.scope, cgroup_);
}

std::optional<SpawnError::Facts> LaunchedChild::start(const Waiter& waiter, Readiness* readiness) {
    const SpawnOptions& options = definition_->options;
    // A Launch may be begun by any thread, which may end at any time. A child elsewhere is started by one that does.
    const bool sleeps = waiter.sleeps();
    const bool is_elsewhere = options.birth.pid_namespace >= 0;
    const bool stays =
        options.ending.die_with_parent || (!is_elsewhere && (sleeps || is_first_thread()));
    // Not on the thread for children that die with their parent: others would have to wait for it.
    const bool may_be_suspended = sleeps && definition_->leaves_the_parent_nothing_to_do() &&
                                  (!options.ending.die_with_parent || is_first_thread());
    const Caller caller = may_be_suspended ? Caller::may_be_suspended : Caller::goes_on;
    const Starter starter = stays ? Starter::stays : Starter::may_end;
    hand_over_ = readiness != nullptr ? readiness->plan(definition_->plan) : HandOverPlan{};
    may_go_by_words_ = waiter.may_leave_it_to_the_barrier() && !definition_->plan.hands_over();
    StartedChild started;
    const StartMethod wanted = definition_->start_method();
    if (wanted != StartMethod::copied_memory) {
        started = start_by(StartMethod::shared_memory, caller, starter);
    }
    // A filter, an old kernel, a process that has left its time namespace, no room for a thread: the
    // other way may do, and if it does not, its error is the one that every user knows.
    if (started.pid < 0 && wanted != StartMethod::shared_memory) {
        started = start_by(StartMethod::copied_memory, caller, starter);
    }
    if (started.pid < 0) {
        return why_not(started);
    }
    loan_ = std::move(started.loan);
    handle_ = ChildHandle(started.pid, std::move(started.pidfd), std::move(kill_reach_),
                          descriptors_->take_status_pipe());
    descriptors_->close_childs_ends();
    (void)barrier_.set_role(Role::parent);
    (void)barrier_.watch_peer(handle_.pidfd());
    left_memory_at_start_ = started.left_memory;
    went_alone_ = started.went_alone;
    if (loan_ && !barrier_.is_open()) {
        contact_.go_by_words(loan_->is_lent, record());
    }
    return std::nullopt;
}

// Where memory is shared, both sides meet by words, and a child that is alone meets nobody. But until memory was seen to
// be shared, the end of the barrier's pipe must tell of its execve; and in a pid namespace of its own the child knows its
// parent by the barrier alone.
bool LaunchedChild::needs_barrier(StartMethod method, Caller caller) const noexcept {
    const bool does_without = caller == Caller::goes_on ? may_go_by_words_ : is_sharing_proven();
    return method == StartMethod::copied_memory || !does_without ||
           (definition_->options.birth.namespaces & Namespaces::pid) != Namespaces::none;
}

void LaunchedChild::open_barrier() {
    std::error_code error;
    barrier_ = Barrier::create(error);
    if (error) {
        throw std::system_error(error, "open the barrier");
    }
}

StartedChild LaunchedChild::start_by(StartMethod method, Caller caller, Starter starter) {
    const Schedule& schedule = definition_->schedule;
    start_method_ = method;
    if (!barrier_.is_open() && needs_barrier(method, caller)) {
        open_barrier();
    }
    const ParentPlan parent = descriptors_->parent_plan(barrier_, starter);
    const LaunchPlan launch{.descriptors = descriptors_->plan(parent),
                            .parent = parent,
                            .hand_over = hand_over_,
                            .reaper = descriptors_->reaper_plan(),
                            .cgroup = cgroup_};
    record_memory_ = std::make_unique<LaunchRecordMemory>(
        schedule.items.size(), method == StartMethod::copied_memory ||
                                       (caller == Caller::may_be_suspended && !is_sharing_proven())
                                   ? LaunchRecordMemory::Place::mapping
                                   : LaunchRecordMemory::Place::heap);
    record().begin(WhichSide::parent, schedule.begin);
    std::optional<SignalsBlocked> signals;
    if (barrier_.is_open() || caller == Caller::goes_on) {
        signals.emplace();
    }
    plan_ =
        definition_->plan.plan_of(launch, signals ? &signals->callers_mask() : nullptr, record());
    StartedChild started = start_child(plan_, method, caller);
    signals.reset();
    return started;
}

SpawnError::Facts LaunchedChild::why_not(const StartedChild& none) const {
    SpawnError::Facts facts{.stage = Stage::start,
                            .cause = Cause::error,
                            .step = "start the child",
                            .error = none.error,
                            .detail = none.call,
                            .call = none.kind};
    facts.hint = hint_for(definition_->options, start_method_, facts);
    return facts;
}

int LaunchedChild::end_of_setup() const noexcept {
    return definition_->plan.hands_over() ? descriptors_->exec_pipe()
           : barrier_.is_open()           ? barrier_.native()->pipe_read_fd
                                          : -1;
}

std::uint32_t LaunchedChild::item() const {
    const Schedule& schedule = definition_->schedule;
    const std::uint32_t item = record().child_item.load(std::memory_order_acquire);
    return item < schedule.items.size() ? item : schedule.begin;
}

bool LaunchedChild::has_claimed() const noexcept {
    return record().first_failure.load(std::memory_order_acquire) != nobody;
}

bool LaunchedChild::is_through() const noexcept {
    return record().commit.load() == Commit::hot && !has_claimed();
}

Execution LaunchedChild::execution() const {
    if (!loan_ && !left_memory_at_start_) {
        return execution_of(handle_.pid());
    }
    return loan_.is_over() ? execution_after_sharing(handle_.pid()) : Execution::never;
}

void LaunchedChild::note_execve() noexcept {
    contact_.forget_words();
    loan_.give_back();
    (void)barrier_.distrust_peer();  // which is the program by now
}

bool LaunchedChild::is_running() const { return is_through() && execution() == Execution::done; }

void LaunchedChild::leave_in(Process::State& state) {
    state.child = std::move(handle_);
    handle_ = ChildHandle();
    state.streams = streams_.hand_over();
    state.start_method = start_method_;
}

void LaunchedChild::reap() {
    handle_.reap();
    loan_.discard();
}

std::string LaunchedChild::leave_behind() {
    std::string why = why_it_survives(handle_.pid());
    if (!loan_.is_over()) {
        // It may still look at these, should SIGKILL have been refused. Better lost than pulled away.
        static_cast<void>(new std::shared_ptr<const Definition>(definition_));
        is_record_lost_ = true;
    }
    loan_.discard();
    return why;
}

}  // namespace syncspawn::detail
