// The contract of this file. It holds all code of ours that runs between the start of the child and
// its execve, and nothing else.
//  1. Nothing here allocates, frees, takes a lock or throws: another thread of the parent may have
//     held the lock at the start, and does not exist here to let it go.
//  2. It calls bare system calls (see raw_calls.hpp), the barrier (which does the same), and the parts
//     of the steps, which obey the rules they were declared with. Only those parts may throw;
//     run_part() catches.
//  3. It sees the plan and the launch record, both made before the start. Its memory may be the
//     parent's, which runs at the same time: so it writes to its own stack, the record, and the places
//     that the plan names for it.
//  4. The child leaves by execve or _exit; destructors of the parent's objects never run here.

#include "post_fork.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>

#include <syncspawn/barrier/hand_over.hpp>

#include "exec_diagnosis.hpp"
#include "exec_search.hpp"
#include "open_descriptors.hpp"
#include "raw_calls.hpp"
#include "sanitizers.hpp"

namespace syncspawn::detail {
namespace {

constexpr int exit_code_of_failure = 125;
constexpr std::array standard_streams{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};

class Child {
public:
    explicit Child(const Plan& plan) noexcept : plan_(plan), record_(*plan.record) {}

    [[noreturn]] void run() noexcept {
        arrive();
        Barrier barrier(plan_.barrier);
        barrier_ = &barrier;
        if (barrier.set_role(Role::child) != Outcome::reached ||
            (plan_.parent_pidfd >= 0 &&
             barrier.watch_peer(plan_.parent_pidfd) != Outcome::reached)) {
            fail(plan_.begin_item, barrier.error().value(), "barrier");
        }
        die_with_parent(plan_.begin_item, plan_.operations);
        record_.end(WhichSide::child, plan_.begin_item);
        for (std::size_t index = 0; index < plan_.operation_count; ++index) {
            perform(plan_.operations + index);
        }
        arrange_descriptors();
        execute();
    }

private:
    [[noreturn]] void fail(std::uint32_t item, int error, const char* text,
                           KnownCall call = KnownCall::other, Cause cause = Cause::error) noexcept {
        FailureSlot& slot = record_.child_failure;
        slot.item = item;
        slot.error = error;
        slot.cause = static_cast<std::uint32_t>(cause);
        if (text != nullptr) {  // of ours; a part has set its own
            slot.set_text(text);
            slot.call = call;
        }
        // The report first, the abort second: who sees the abort finds the report.
        record_.claim(WhichSide::child);
        if (barrier_ != nullptr) {
            (void)barrier_->abort();
        }
        _exit(exit_code_of_failure);
    }

    void arrive() noexcept {
        record_.note_childs_clocks();
        record_.begin(WhichSide::child, plan_.begin_item);
        if (plan_.joins_cgroup && !join_cgroup(plan_.cgroup)) {
            fail(plan_.begin_item, errno, "cgroup.procs", KnownCall::joining_a_cgroup);
        }
        if (!plan_.leaves_descriptors && !close_all_but(plan_.kept, plan_.kept_count)) {
            fail(plan_.begin_item, errno, "close_range");
        }
        for (int* fd : {&plan_.exec_pipe, &plan_.parent_pidfd, &plan_.barrier.local_fd,
                        &plan_.barrier.remote_fd, &plan_.barrier.pipe_read_fd,
                        &plan_.barrier.pipe_write_fd}) {
            move_out_of_the_way(*fd);
        }
        for (const int stream : standard_streams) {
            // An inherited stream is open in the program, and any other is put in place later.
            if (fcntl(stream, F_SETFD, 0) < 0 && errno != EBADF) {
                fail(plan_.begin_item, errno, "fcntl(F_SETFD)");
            }
        }
        reset_signal_handlers();
        // In a part, abort(3) of glibc 2.41 would find the signal blocked, take its lock, and leave that
        // held in the memory that the parent shares.
        if (!raw::unblock(SIGABRT)) {
            fail(plan_.begin_item, errno, "rt_sigprocmask");
        }
        if (plan_.kill_scope == KillScope::process_group && setpgid(0, 0) < 0) {
            fail(plan_.begin_item, errno, "setpgid");
        }
        if (plan_.kill_scope == KillScope::session && setsid() < 0) {
            fail(plan_.begin_item, errno, "setsid");
        }
    }

    static bool join_cgroup(int directory) noexcept {
        const int file = openat(directory, "cgroup.procs", O_WRONLY | O_CLOEXEC);
        return file >= 0 && write(file, "0", 1) == 1;  // closed with all that is not kept
    }

    // So that no redirection can close what the setup still needs.
    void move_out_of_the_way(int& fd) noexcept {
        if (fd < 0 || fd >= plan_.lowest_internal_fd) {
            return;
        }
        const int moved = fcntl(fd, F_DUPFD_CLOEXEC, plan_.lowest_internal_fd);
        if (moved < 0) {
            fail(plan_.begin_item, errno, "fcntl(F_DUPFD_CLOEXEC)", KnownCall::duplication);
        }
        close(fd);
        fd = moved;
    }

    // As execve will: handlers are gone, what is ignored stays so unless asked otherwise. Before
    // the mask is restored, so that no handler of the parent ever runs here.
    void reset_signal_handlers() noexcept {
        if (plan_.handlers_are_default && !plan_.reset_ignored_signals) {
            return;
        }
        for (int signal = 1; signal < _NSIG; ++signal) {
            if (is_of_the_c_library(signal)) {
                continue;  // parts may still need it, as for set*id with threads
            }
            raw::SignalAction action;
            if (!raw::get_action(signal, action)) {
                fail(plan_.begin_item, errno, "rt_sigaction");
            }
            const bool stays = action.handler == raw::default_action ||
                               (action.handler == raw::ignored && !plan_.reset_ignored_signals);
            if (!stays && !raw::set_action(signal, {})) {
                fail(plan_.begin_item, errno, "rt_sigaction");
            }
        }
    }

    // As its sigaction(3) has it, which takes no such number.
    static bool is_of_the_c_library(int signal) noexcept {
#ifdef __GLIBC__
        return signal == 32 || signal == 33;
#else
        return signal >= 32 && signal <= 34;
#endif
    }

    // The signal is that of the death of the thread that started the child: only where that lives as
    // long as the parent does, being inside spawn(), the parent's first, or the one for children that
    // die with their parent. A change of credentials clears the signal, and it tells nothing of a
    // death before: hence again after each part, and each time with a look. In another pid namespace
    // getppid is 0; there the barrier looks at the parent's pidfd, and everywhere at its pipe: a dying
    // process closes that before it signals its children, and only then are they somebody else's.
    void die_with_parent(std::uint32_t item, const ChildOperation* next) noexcept {
        if (plan_.starter_stays) {
            const bool is_set = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
            has_death_signal_ = has_death_signal_ || is_set;
            // The setup alone can do without: its waits end with the parent, too.
            if (!is_set && plan_.die_with_parent) {
                fail(item, errno, "prctl(PR_SET_PDEATHSIG)");
            }
        }
        const pid_t parent = getppid();
        if (parent != 0 && parent != plan_.parent_pid) {
            _exit(exit_code_of_failure);
        }
        // A rendezvous will tell soon enough whether the parent gave up. A child that is alone has none.
        if (parent == 0 || plan_.is_alone || next->kind != ItemKind::rendezvous) {
            leave_if_aborted(barrier_->poll_now(), item);
        }
    }

    void perform(const ChildOperation* current) noexcept {
        const ChildOperation& operation = *current;
        record_.begin(WhichSide::child, operation.item);
        switch (operation.kind) {
            case ItemKind::step:
                run_part(operation);
                die_with_parent(operation.item, current + 1);  // never the last operation
                break;
            case ItemKind::working_directory:
                if (chdir(plan_.working_directory) < 0) {
                    fail(operation.item, errno, nullptr);
                }
                break;
            default:
                leave_if_aborted(barrier_->place_and_sync(), operation.item);
        }
        record_.end(WhichSide::child, operation.item);
    }

    void run_part(const ChildOperation& operation) noexcept {
        FailureSlot& slot = record_.child_failure;
        ChildSide side(slot, plan_.parent_pid, plan_.parent_pidfd, replacement_);
        try {
            const std::error_code error = (*operation.part)(side);
            if (!error) {
                slot = {};  // what it said of a failure that it then made good
                return;
            }
            if (!is_errno(error) && slot.text[0] == '\0') {
                slot.set_text(error);
            }
            fail(operation.item, errno_of(error), nullptr);
        } catch (const std::exception& exception) {
            slot.set_text(exception.what());
        } catch (...) {
            slot.set_text("not a std::exception");
        }
        // Only now, without the exception: where memory is shared it would stay there for ever.
        fail(operation.item, ECANCELED, nullptr, KnownCall::none, Cause::exception);
    }

    void leave_if_aborted(Outcome outcome, std::uint32_t item) noexcept {
        switch (outcome) {
            case Outcome::reached:
            case Outcome::timed_out:  // poll_now: places are owed, which is no concern here
                return;
            case Outcome::failed:
                fail(item, barrier_->error().value(), "barrier");
            default:
                _exit(exit_code_of_failure);  // the parent gave up, and knows why
        }
    }

    void arrange_descriptors() noexcept {
        record_.begin(WhichSide::child, plan_.descriptors_item);
        if (!plan_.leaves_descriptors &&
            !close_on_exec_all_but(standard_streams.data(), standard_streams.size())) {
            fail(plan_.descriptors_item, errno, "close_range");
        }
        // First the sources that are overwritten, to numbers that no redirection fills: two may want to
        // change places.
        for (std::size_t index = 0; index < plan_.redirection_count; ++index) {
            const Redirection& redirection = plan_.redirections[index];
            plan_.safe_sources[index] =
                redirection.is_source_overwritten
                    ? fcntl(redirection.from, F_DUPFD_CLOEXEC, plan_.lowest_internal_fd)
                    : redirection.from;
            if (plan_.safe_sources[index] < 0) {
                fail(plan_.descriptors_item, errno, "fcntl(F_DUPFD_CLOEXEC)",
                     KnownCall::duplication);
            }
        }
        for (std::size_t index = 0; index < plan_.redirection_count; ++index) {
            const int from = plan_.safe_sources[index];
            const int to = plan_.redirections[index].to;
            // dup2(2) of a number onto itself leaves the close-on-exec flag.
            if ((from == to ? fcntl(to, F_SETFD, 0) : dup2(from, to)) < 0) {
                // So dup2(2) says, too, that RLIMIT_NOFILE is below the new number.
                const bool is_limit = errno == EBADF && fcntl(from, F_GETFD) >= 0;
                fail(plan_.descriptors_item, is_limit ? EMFILE : errno, "dup2");
            }
        }
        if (plan_.hand_over) {
            hand_over();
        }
        record_.end(WhichSide::child, plan_.descriptors_item);
    }

    void hand_over() noexcept {
        if (replacement_.environment != nullptr) {
            fail(plan_.descriptors_item, EINVAL, "a part has replaced the environment");
        }
        if (export_barrier(*barrier_, environment_, plan_.lowest_internal_fd) != Outcome::reached) {
            fail(plan_.descriptors_item, barrier_->error().value(), "hand over the barrier");
        }
        char** slot = plan_.environment + plan_.environment_size;
        slot[0] = environment_.local_fd;
        slot[1] = environment_.remote_fd;
        slot[2] = environment_.pipe_fd;
        slot[3] = environment_.state;
    }

    [[noreturn]] void execute() noexcept {
        record_.begin(WhichSide::child, plan_.execve_item);
        // The commit point: whoever loses yields.
        Commit expected = Commit::armed;
        if (!record_.commit.compare_exchange_strong(expected, Commit::hot)) {
            _exit(exit_code_of_failure);
        }
        if (has_death_signal_ && !plan_.die_with_parent && prctl(PR_SET_PDEATHSIG, 0) < 0) {
            fail(plan_.execve_item, errno, "prctl(PR_SET_PDEATHSIG)");
        }
        if (!raw::set_mask(plan_.program_mask != nullptr ? *plan_.program_mask
                                                         : plan_.callers_mask)) {
            fail(plan_.execve_item, errno, "rt_sigprocmask");
        }
        forget_stack();
        fail_execve();
    }

    [[noreturn]] void fail_execve() noexcept {
        const auto [path, error] = execute_first_of(
            plan_.candidates, replaced(plan_.arguments, replacement_.arguments),
            replaced(plan_.environment, replacement_.environment), plan_.tries_if_busy);
        for (std::size_t index = 0; index < plan_.operation_count; ++index) {
            errno = error;
            tell_of_failed_execve(plan_.operations[index]);
        }
        const ExecDiagnosis diagnosis(path, error);
        fail(plan_.execve_item, error, diagnosis.text());
    }

    void tell_of_failed_execve(const ChildOperation& operation) const noexcept {
        if (operation.kind != ItemKind::step || !*operation.exec_failed) {
            return;
        }
        FailureSlot unused;
        Replacement too_late;
        ChildSide side(unused, plan_.parent_pid, plan_.parent_pidfd, too_late);
        try {
            (void)(*operation.exec_failed)(side);
        } catch (...) {  // NOLINT(bugprone-empty-catch): the failed execve is what is reported
        }
    }

    // execve(2) takes pointers to char for the sake of C, and does not write there.
    static char* const* replaced(char* const* planned, const char* const* instead) noexcept {
        return instead != nullptr ? const_cast<char* const*>(instead) : planned;
    }

    Plan plan_;
    LaunchRecord& record_;
    Barrier* barrier_ = nullptr;
    BarrierEnvironment environment_{};
    Replacement replacement_;
    bool has_death_signal_ = false;
};

}  // namespace

void run_child(const Plan& plan) noexcept { Child(plan).run(); }

}  // namespace syncspawn::detail
