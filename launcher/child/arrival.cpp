#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "child.hpp"
#include "open_descriptors.hpp"
#include "raw_calls.hpp"

namespace syncspawn::detail {
namespace {

bool join_cgroup(int directory) noexcept {
    const int file = openat(directory, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    return file >= 0 && write(file, "0", 1) == 1;  // closed with all that is not kept
}

void enter_cgroup(Child& child) noexcept {
    if (child.arrival.joins_cgroup && !join_cgroup(child.plan.birth.cgroup)) {
        child.fail(
            {child.plan.order.begin_item, errno, "cgroup.procs", KnownCall::joining_a_cgroup});
    }
}

// First of all: two launches in flight must not keep each other's pipes open.
void close_foreign_descriptors(Child& child) noexcept {
    const DescriptorPlan& plan = child.plan.descriptors;
    if (!plan.leaves_others && !close_all_but(plan.kept, plan.kept_count)) {
        child.fail({child.plan.order.begin_item, errno, "close_range"});
    }
}

// So that no redirection can close what the setup still needs.
void move_out_of_the_way(Child& child, int& fd) noexcept {
    const int lowest = child.plan.descriptors.lowest_internal_fd;
    if (fd < 0 || fd >= lowest) {
        return;
    }
    const int moved = fcntl(fd, F_DUPFD_CLOEXEC, lowest);
    if (moved < 0) {
        child.fail(
            {child.plan.order.begin_item, errno, "fcntl(F_DUPFD_CLOEXEC)", KnownCall::duplication});
    }
    close(fd);
    fd = moved;
}

void move_internal_descriptors(Child& child) noexcept {
    ParentPlan& parent = child.plan.parent;
    ReaperPlan& reaper = child.plan.reaper;
    for (int* fd : {&reaper.file, &reaper.status_pipe, &parent.exec_pipe, &parent.channel,
                    &parent.pidfd, &parent.barrier.local_fd, &parent.barrier.remote_fd,
                    &parent.barrier.pipe_read_fd, &parent.barrier.pipe_write_fd}) {
        move_out_of_the_way(child, *fd);
    }
}

bool is_put_in_place_later(const DescriptorPlan& plan, int number) noexcept {
    const Redirection* const end = plan.redirections + plan.redirection_count;
    return std::any_of(plan.redirections, end,
                       [number](const Redirection& one) { return one.to == number; });
}

// An inherited stream is open in the program.
void keep_streams(Child& child) noexcept {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (!is_put_in_place_later(child.plan.descriptors, stream) &&
            fcntl(stream, F_SETFD, 0) < 0 && errno != EBADF) {
            child.fail({child.plan.order.begin_item, errno, "fcntl(F_SETFD)"});
        }
    }
}

// As its sigaction(3) has it, which takes no such number.
bool is_of_the_c_library(int signal) noexcept {
#ifdef __GLIBC__
    return signal == 32 || signal == 33;
#else
    return signal >= 32 && signal <= 34;
#endif
}

// As execve will: handlers are gone, what is ignored stays so unless asked otherwise. Before
// the mask is restored, so that no handler of the parent ever runs here.
void reset_signal_handlers(Child& child) noexcept {
    const bool resets_ignored = child.plan.signals.reset_ignored;
    if (child.arrival.shares_memory && !resets_ignored) {
        return;
    }
    for (int signal = 1; signal < _NSIG; ++signal) {
        if (is_of_the_c_library(signal)) {
            continue;  // parts may still need it, as for set*id with threads
        }
        raw::SignalAction action;
        bool is_done = raw::get_action(signal, action);
        const bool stays = action.handler == raw::default_action ||
                           (action.handler == raw::ignored && !resets_ignored);
        is_done = is_done && (stays || raw::set_action(signal, {}));
        if (!is_done) {
            child.fail({child.plan.order.begin_item, errno, "rt_sigaction"});
        }
    }
}

// In a part, abort(3) of glibc 2.41 would find the signal blocked, take its lock, and leave that
// held in the memory that the parent shares.
void let_parts_abort(Child& child) noexcept {
    if (child.plan.order.has_parts && !raw::unblock(SIGABRT)) {
        child.fail({child.plan.order.begin_item, errno, "rt_sigprocmask"});
    }
}

void lead(Child& child) noexcept {
    const Leads leads = child.plan.birth.leads;
    if (leads == Leads::group && setpgid(0, 0) < 0) {
        child.fail({child.plan.order.begin_item, errno, "setpgid"});
    }
    if (leads == Leads::session && setsid() < 0) {
        child.fail({child.plan.order.begin_item, errno, "setsid"});
    }
}

void join_barrier(Child& child) noexcept {
    const ParentPlan& parent = child.plan.parent;
    if (parent.barrier.is_open == 0) {
        return;
    }
    child.barrier = Barrier(parent.barrier);
    if (child.barrier.set_role(Role::child) != Outcome::reached ||
        (parent.pidfd >= 0 && child.barrier.watch_peer(parent.pidfd) != Outcome::reached)) {
        child.fail({child.plan.order.begin_item, child.barrier.error().value(), "barrier"});
    }
}

}  // namespace

void arrive(Child& child) noexcept {
    const std::uint32_t item = child.plan.order.begin_item;
    if (!child.arrival.shares_memory) {
        child.record.note_childs_clocks();
    }
    child.record.begin(WhichSide::child, item);
    enter_cgroup(child);
    close_foreign_descriptors(child);
    move_internal_descriptors(child);
    keep_streams(child);
    reset_signal_handlers(child);
    let_parts_abort(child);
    lead(child);
    join_barrier(child);
    tie_to_parent(child, item, child.plan.order.operations[0]);
}

}  // namespace syncspawn::detail
