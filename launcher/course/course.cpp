#include "course.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include "launcher/result/hints.hpp"
#include "launcher/result/process_state.hpp"
#include "launcher/result/spawn_error_facts.hpp"

namespace syncspawn::detail {
namespace {

using std::chrono::steady_clock;

constexpr auto first_pause = std::chrono::milliseconds(5);

// `what`: the call, if the exception does not say so itself.
SpawnError cannot_prepare(const SpawnOptions& options, const std::system_error& failure,
                          std::string what) {
    if (what.empty()) {
        what = failure.what();  // "CALL: MESSAGE", and the message comes from the code again
        what.resize(std::min(what.size(), what.rfind(": " + failure.code().message())));
    }
    SpawnError::Facts facts{.stage = Stage::prepare,
                            .cause = Cause::error,
                            .step = "prepare the launch",
                            .error = failure.code().value(),
                            .detail = std::move(what),
                            .call = KnownCall::preparation};
    facts.hint = hint_for(options, StartMethod::automatic, facts);
    return SpawnError(std::move(facts));
}

}  // namespace

Course::Course(std::shared_ptr<const Definition> definition, Waits waits)
    : definition_(std::move(definition)),
      options_(definition_->options),
      schedule_(definition_->schedule),
      waits_(waits) {}

bool Course::advance() {
    while (phase_ != Phase::over) {
        is_inside_a_pass_ = true;
        const Progress progress = pass();
        is_inside_a_pass_ = false;
        if (std::exchange(is_to_be_cancelled_, false)) {
            cancel();
        } else if (progress == Progress::waits) {
            return false;
        }
    }
    return true;
}

Course::Progress Course::pass() {
    switch (phase_) {
        case Phase::preparation:
            return prepare();
        case Phase::parts:
            return pass_parts();
        case Phase::execve:
            return await_execve();
        case Phase::readiness:
            return await_readiness();
        case Phase::hang_up:
        case Phase::grace:
        case Phase::death:
            return await_end(phase_deadline_);
        case Phase::over:
            break;
    }
    return Progress::goes_on;
}

Process Course::take_result(SpawnError& error) {
    error = error_;
    return std::move(process_);
}

// Index of what is ready, or why there is none.
int Course::await(const Events& events, const std::optional<Deadline>& deadline) {
    const Deadline* const until = deadline ? &*deadline : nullptr;
    if (waits_ == Waits::inside) {
        return wait_for_any(events, until);
    }
    const Deadline now{};
    const int ready = wait_for_any(events, &now);
    if (ready != at_the_deadline || (until != nullptr && steady_clock::now() >= *until)) {
        return ready;
    }
    watch_->set(events, until);
    return not_yet;
}

Trace Course::trace() const { return {{definition_, &definition_->schedule}, began_, record()}; }

Course::Progress Course::prepare() {
    try {
        descriptors_.emplace(options_, definition_->entries, definition_->plan.plan().hand_over);
        barrier_ = Barrier::create();
    } catch (const std::system_error& failure) {
        fail(cannot_prepare(options_, failure, descriptors_ ? "open the barrier" : ""));
        return Progress::goes_on;
    }
    try {
        if (waits_ == Waits::outside) {
            watch_.emplace();
        }
        kill_reach_ = KillReach(options_);
        start();
    } catch (const std::system_error& failure) {  // no memory for the launch record, a cgroup
        fail(cannot_prepare(options_, failure, ""));
    }
    return Progress::goes_on;
}

void Course::start() {
    plan_ = definition_->plan.plan();
    descriptors_->describe_in(plan_, *barrier_.native());
    // spawn() is inside until execve. A Launch may be begun by any thread, which may end at any time.
    plan_.starter_stays = waits_ == Waits::inside || options_.ending.die_with_parent ||
                          syscall(SYS_gettid) == getpid();
    plan_.may_be_cloned = definition_->child_parts_may_share_memory();
    // Not on the thread for children that die with their parent: others would have to wait for it.
    plan_.is_alone = waits_ == Waits::inside && definition_->leaves_the_parent_nothing_to_do() &&
                     (!options_.ending.die_with_parent || syscall(SYS_gettid) == getpid());
    plan_.program_mask = options_.signals.mask ? &*options_.signals.mask : nullptr;
    if (plan_.hand_over) {
        environment_ = definition_->plan.environment_for_hand_over();
        plan_.environment = environment_.data();
    }
    if (options_.setup.within) {
        deadline_ = after(*options_.setup.within);
    }
    StartedChild started;
    const StartMethod wanted = definition_->start_method();
    if (wanted != StartMethod::copied_memory) {
        started = start_by(StartMethod::shared_memory);
    }
    // A filter, an old kernel, a process that has left its time namespace, no room for a thread: the
    // other way may do, and if it does not, its error is the one that every user knows.
    if (started.pid < 0 && wanted != StartMethod::shared_memory) {
        started = start_by(StartMethod::copied_memory);
    }
    if (started.pid < 0) {
        const bool is_into_cgroup =
            started.kind == KnownCall::birth && plan_.cgroup >= 0 && !plan_.joins_cgroup;
        SpawnError::Facts facts{.stage = Stage::start,
                                .cause = Cause::error,
                                .step = "start the child",
                                .error = started.error,
                                .detail = started.call,
                                .call = is_into_cgroup ? KnownCall::birth_in_cgroup : started.kind};
        facts.hint = hint_for(options_, start_method_, facts);
        fail(SpawnError(std::move(facts)));
        return;
    }
    loan_ = std::move(started.loan);
    child_ = ChildHandle(started.pid, std::move(started.pidfd), std::move(kill_reach_));
    descriptors_->close_childs_ends();
    (void)barrier_.set_role(Role::parent);
    (void)barrier_.watch_peer(child_.pidfd());
    has_left_memory_ = started.left_memory;
    if (started.went_alone) {
        next_ = schedule_.parent.size();
    }
    phase_ = Phase::parts;
}

StartedChild Course::start_by(StartMethod method) {
    start_method_ = method;
    record_memory_ = std::make_unique<LaunchRecordMemory>(
        schedule_.items.size(),
        method == StartMethod::copied_memory || (plan_.is_alone && !is_sharing_proven())
            ? LaunchRecordMemory::Place::mapping
            : LaunchRecordMemory::Place::heap);
    plan_.record = &record();
    record().begin(WhichSide::parent, schedule_.begin);
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &plan_.callers_mask);
    StartedChild started = start_child(plan_, method);
    pthread_sigmask(SIG_SETMASK, &plan_.callers_mask, nullptr);
    record().end(WhichSide::parent, schedule_.begin);
    return started;
}

Course::Progress Course::pass_parts() {
    for (; next_ < schedule_.parent.size(); ++next_) {
        const std::uint32_t item = schedule_.parent[next_];
        if (!is_inside_) {
            if (is_cancelled()) {
                return fail(cancellation(WhichSide::parent, item));
            }
            if (is_late()) {
                return fail(late_child());
            }
            record().begin(WhichSide::parent, item);
            is_inside_ = true;
        }
        std::optional<Failure> failure;
        if (schedule_.items[item].kind == ItemKind::step) {
            failure = run_part(item);
        } else {
            const std::optional<Outcome> outcome = place_and_sync(deadline_);
            if (!outcome) {
                return Progress::waits;
            }
            failure = after_meeting(item, *outcome);
        }
        is_inside_ = false;
        if (failure) {
            return fail(std::move(*failure));
        }
        record().end(WhichSide::parent, item);
    }
    phase_ = Phase::execve;
    return Progress::goes_on;
}

std::optional<Course::Failure> Course::run_part(std::uint32_t item) {
    const Step& step = *schedule_.items[item].step;
    FailureSlot slot;
    ParentSide side(slot, child_.pid(), child_.pidfd(), deadline_);
    try {
        const std::error_code error = step.parent(side);
        if (error) {
            std::string detail = slot.text;
            if (!is_errno(error) && detail.empty()) {
                detail = error.message();
            }
            return Failure{WhichSide::parent, item,   Cause::error,
                           errno_of(error),   detail, slot.call};
        }
    } catch (const std::exception& exception) {
        return Failure{WhichSide::parent, item, Cause::exception, ECANCELED, exception.what()};
    } catch (...) {
        return Failure{WhichSide::parent, item, Cause::exception, ECANCELED,
                       "not a std::exception"};
    }
    done_.push_back(&step);
    if (is_late()) {
        return Failure{WhichSide::parent, item, Cause::timed_out, ETIMEDOUT,
                       not_done_in_time() + ": the parent was in '" + step.name + "' until now"};
    }
    return judge(barrier_.poll_now(), item, Outcome::timed_out);
}

std::optional<Course::Failure> Course::after_meeting(std::uint32_t item, Outcome outcome) const {
    if (item == schedule_.ready_to_exec && outcome == Outcome::aborted_there &&
        record().commit.load() == Commit::hot &&
        record().first_failure.load(std::memory_order_acquire) == nobody) {
        // The child is through, and the program has aborted already: that superseded the child's
        // last place. Not a failure of the setup.
        return std::nullopt;
    }
    if (cancelled_) {
        return cancellation(WhichSide::parent, item);
    }
    // A meeting in time is found late where this process was stopped meanwhile. A child that is through
    // has won: it executes the program.
    const bool was_late =
        outcome == Outcome::reached && is_late() &&
        (item != schedule_.ready_to_exec || record().commit.load() != Commit::hot);
    return judge(was_late ? Outcome::timed_out : outcome, item, Outcome::reached);
}

// The rendezvous as the barrier has it, but watching for a cancellation where one is possible.
std::optional<Outcome> Course::place_and_sync(const std::optional<Deadline>& deadline) {
    if (waits_ == Waits::inside && options_.setup.cancel_when_readable < 0) {
        return deadline ? barrier_.place_and_sync_until(*deadline) : barrier_.place_and_sync();
    }
    const syncspawn_barrier& side = *barrier_.native();
    for (;;) {
        const Outcome outcome =
            has_placed_ ? barrier_.sync_until(Deadline()) : barrier_.place_until(Deadline());
        if (outcome == Outcome::reached && !has_placed_) {
            has_placed_ = true;
            continue;
        }
        if (outcome != Outcome::timed_out) {
            has_placed_ = false;
            return outcome;
        }
        const int ready =
            await({readable(options_.setup.cancel_when_readable), readable(side.remote_fd),
                   pollfd{has_placed_ ? -1 : side.local_fd, POLLOUT, 0}, hung_up(side.pipe_read_fd),
                   readable(child_.pidfd())},
                  deadline);
        if (ready == not_yet) {
            return std::nullopt;
        }
        cancelled_ = ready == 0;
        wait_error_ = ready == wait_failed ? errno : 0;
        if (cancelled_ || ready == at_the_deadline || ready == wait_failed) {
            has_placed_ = false;
            return ready == wait_failed ? Outcome::failed : Outcome::timed_out;
        }
    }
}

bool Course::is_late() const { return deadline_ && steady_clock::now() >= *deadline_; }

bool Course::is_cancelled() const {
    const Deadline now{};
    return is_to_be_cancelled_ ||
           (options_.setup.cancel_when_readable >= 0 &&
            wait_for_any({readable(options_.setup.cancel_when_readable)}, &now) == 0);
}

Course::Failure Course::cancellation(WhichSide side, std::uint32_t item) {
    return {side, item, Cause::cancelled, ECANCELED, "the launch was cancelled"};
}

// What the end of an operation on the barrier means for the launch.
std::optional<Course::Failure> Course::judge(Outcome outcome, std::uint32_t item,
                                             Outcome also_fine) const {
    if (outcome == Outcome::reached || outcome == also_fine) {
        return std::nullopt;
    }
    if (outcome == Outcome::timed_out) {
        return late_child();
    }
    if (outcome == Outcome::failed) {
        return failed_wait(item);
    }
    return Failure{};  // aborted or gone: the child's report or its end says why
}

// Where the child is, by its own account.
std::uint32_t Course::childs_item() const {
    const std::uint32_t item = record().child_item.load(std::memory_order_acquire);
    return item < schedule_.items.size() ? item : schedule_.begin;
}

Course::Failure Course::late_child() const {
    const std::uint32_t item = childs_item();
    std::int64_t began = record().times(WhichSide::child, item).began;
    const std::int64_t now = monotonic_now();
    if (began <= began_ || began > now) {  // not even there yet, or nonsense
        began = began_;
    }
    const std::chrono::nanoseconds here(now - began);
    return {WhichSide::child, item, Cause::timed_out, ETIMEDOUT,
            not_done_in_time() + ": the child has been in '" + schedule_.items[item].name +
                "' for " + in_words(here)};
}

std::string Course::not_done_in_time() const {
    return "the setup was not done " +
           (options_.setup.within ? "within " + in_words(*options_.setup.within) : "in time");
}

Course::Failure Course::failed_wait(std::uint32_t item) const {
    const bool is_barriers = wait_error_ == 0;
    return {WhichSide::parent,
            item,
            Cause::error,
            is_barriers ? barrier_.error().value() : wait_error_,
            is_barriers ? "barrier" : "ppoll",
            KnownCall::other};
}

// A foreign holder of the pipe (another thread's fork, before its own execve) hides its end of file. A
// death still shows by the pidfd, and an execve by a look from time to time.
Course::Progress Course::await_execve() {
    const int exec_end =
        plan_.hand_over ? descriptors_->exec_pipe() : barrier_.native()->pipe_read_fd;
    if (!is_inside_) {
        record().begin(WhichSide::parent, schedule_.execve);
        pause_ = first_pause;
        phase_deadline_ = after(pause_);
        is_inside_ = true;
    }
    int ready = at_the_deadline;
    while (ready == at_the_deadline && !(has_left_memory_ && is_running())) {
        const Deadline next = std::min(*phase_deadline_, deadline_.value_or(Deadline::max()));
        ready = await({readable(options_.setup.cancel_when_readable), hung_up(exec_end),
                       readable(child_.pidfd())},
                      next);
        if (ready == not_yet) {
            return Progress::waits;
        }
        if (ready == wait_failed) {
            wait_error_ = errno;
            return fail(failed_wait(schedule_.ready_to_exec));  // not execve itself
        }
        if (ready == at_the_deadline && is_running()) {
            break;
        }
        if (ready == at_the_deadline && is_late()) {
            return fail(late_child());
        }
        phase_deadline_ = after(pause_ *= 2);
    }
    if (ready == 0) {
        return fail(cancellation(WhichSide::child, schedule_.execve));
    }
    // The end of file comes from execve, from a death, or from a part that closed descriptors it does
    // not own; the commit word tells the last one from the first.
    if (record().first_failure.load(std::memory_order_acquire) != nobody ||
        record().commit.load() != Commit::hot || execution() == Execution::never) {
        return fail(Failure{});
    }
    record().end(WhichSide::parent, schedule_.execve);
    loan_.give_back();
    (void)barrier_.distrust_peer();  // which is the program by now
    is_inside_ = false;
    if (options_.readiness.within) {
        phase_ = Phase::readiness;
    } else {
        make_process();
    }
    return Progress::goes_on;
}

// It may still be on its way through execve, but cannot fail there any more.
bool Course::is_running() const {
    return record().commit.load() == Commit::hot &&
           record().first_failure.load(std::memory_order_acquire) == nobody &&
           execution() == Execution::done;
}

// After the end of the exec pipe or of the process, or while that is still hidden.
Execution Course::execution() const {
    if (!loan_ && !has_left_memory_) {
        return execution_of(child_.pid());
    }
    return loan_.is_over() ? execution_after_sharing(child_.pid()) : Execution::never;
}

Course::Progress Course::await_readiness() {
    if (!is_inside_) {
        record().begin(WhichSide::parent, schedule_.readiness);
        is_inside_ = true;
        phase_deadline_ = after(*options_.readiness.within);
    }
    const std::optional<Outcome> outcome = place_and_sync(phase_deadline_);
    if (!outcome) {
        return Progress::waits;
    }
    std::optional<Failure> failure = after_readiness(*outcome);
    if (failure) {
        return fail(std::move(*failure));
    }
    record().end(WhichSide::parent, schedule_.readiness);
    make_process();
    return Progress::goes_on;
}

std::optional<Course::Failure> Course::after_readiness(Outcome outcome) const {
    const std::uint32_t item = schedule_.readiness;
    if (cancelled_) {
        return cancellation(WhichSide::child, item);
    }
    switch (outcome) {
        case Outcome::reached:
            return std::nullopt;
        case Outcome::timed_out:
            return Failure{WhichSide::child, item, Cause::timed_out, ETIMEDOUT,
                           "the program was not ready within " +
                               in_words(*options_.readiness.within) + says_whether_attached()};
        case Outcome::aborted_there:
            return Failure{WhichSide::child, item, Cause::aborted, ECANCELED, {}};
        case Outcome::failed:
            return failed_wait(item);
        default:
            return Failure{WhichSide::child, item, Cause::none, 0, {}};
    }
}

std::string Course::says_whether_attached() const {
    switch (attachment_of(child_.pid(), *barrier_.native())) {
        case Attachment::never:
            return "; the program itself never attached to its barrier";
        case Attachment::attached:
            return "; it has attached to its barrier";
        case Attachment::unknown:
            break;
    }
    return {};
}

void Course::make_process() {
    auto state = std::make_unique<Process::State>();
    state->child = std::move(child_);
    child_ = ChildHandle();
    if (plan_.hand_over) {
        // What the program has placed already may have been read together with the last place of the
        // setup. It goes back, for whoever waits for it.
        (void)barrier_.put_back();
        state->barrier = std::move(barrier_);
    }
    state->streams = descriptors_->take_parents_streams();
    state->stop = &options_.ending.stop;
    state->start_method = start_method_;
    state->trace = trace();
    process_ = Process(std::move(state));
    watch_.reset();
    phase_ = Phase::over;
}

}  // namespace syncspawn::detail
