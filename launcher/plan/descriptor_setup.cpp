#include "descriptor_setup.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <set>
#include <system_error>

#include "barrier/linux/own_pid.hpp"
#include "barrier/linux/owned_descriptor.hpp"
#include "barrier/linux/proc.hpp"
#include "launcher/reaper/reaper_file.hpp"
#include "opened_stream.hpp"

namespace syncspawn::detail {
namespace {

constexpr int lowest_internal_fd = 10;

// Half a second in all. A file that the caller has written and closed may still be open for writing in a
// child that another launch has started meanwhile, until that executes its program.
constexpr int tries_beside_other_launches = 14;
std::atomic<int> launches_in_flight{0};
// The child of a fork of the application has none of them: a launch under way is only dropped there.
[[maybe_unused]] const int watching_forks =
    pthread_atfork(nullptr, nullptr, [] { launches_in_flight = 0; });

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

std::string hint_for_reaper(int error) {
    if (error == EACCES && proc::number_in("/proc/sys/vm/memfd_noexec") == 2) {
        return "the sysctl vm.memfd_noexec is 2, so no program can be executed from memory, and "
               "the "
               "reaper is one: set it to 1 or 0, or choose FirstProcess::program";
    }
    return error == ENOSYS
               ? "the reaper is written for x86-64 and aarch64, and takes memfd_create(2)"
               : "";
}

void check(int fd, const std::string& whose) {
    if (fcntl(fd, F_GETFD) < 0) {
        fail("descriptor " + std::to_string(fd) + whose);
    }
}

}  // namespace

DescriptorSetup::InFlight::InFlight() noexcept { ++launches_in_flight; }
DescriptorSetup::InFlight::~InFlight() {
    if (--launches_in_flight < 0) {  // begun before the fork
        launches_in_flight = 0;
    }
}

bool DescriptorSetup::are_others_in_flight() noexcept { return launches_in_flight > 1; }

DescriptorSetup::DescriptorSetup(const SpawnOptions& options, const std::vector<Entry>& entries,
                                 int cgroup, bool hand_over, StandardStreams& streams)
    : leaves_others_(options.descriptors.others == OtherDescriptors::leave) {
    // The caller's first: what is opened below must not be taken for one that the caller had closed.
    for (const Stdio* stream :
         {&options.streams.input, &options.streams.output, &options.streams.error}) {
        if (stream->kind() == Stdio::Kind::descriptor) {
            keep(stream->fd(), "");
        }
    }
    for (const int number : options.descriptors.filled_by_parts) {
        highest_reserved_ = std::max(highest_reserved_, number);
    }
    for (const PassedDescriptor& passed : options.descriptors.passed) {
        keep(passed.from, "");
    }
    bool sends = false;
    for (const Entry& entry : entries) {
        if (const Step* const step = std::get_if<Step>(&entry)) {
            for (const int fd : step->descriptors) {
                keep(fd, " of step '" + step->name + "'");
            }
            sends = sends || step->sends_descriptors > 0;
        }
    }
    if (cgroup >= 0) {
        check(cgroup, " of the cgroup");
    }
    const int pid_namespace = options.birth.pid_namespace;
    if (pid_namespace >= 0) {
        check(pid_namespace, " of the pid namespace");
    }
    if (hand_over) {
        Pipe exec_pipe = open_pipe("pipe for the end of execve");
        exec_pipe_read_ = std::move(exec_pipe.read);
        exec_pipe_write_ = std::move(exec_pipe.write);
    }
    if (pid_namespace >= 0 || (options.birth.namespaces & Namespaces::pid) != Namespaces::none) {
        open_parent_pidfd();
    }
    if (sends) {
        open_channel();
    }
    if (options.birth.first_process != FirstProcess::program) {
        open_reaper(options.birth.first_process);
    }
    redirect_streams(options.streams, streams);
    for (const PassedDescriptor& passed : options.descriptors.passed) {
        redirections_.push_back({.from = passed.from, .to = passed.to});
    }
}

// Where the child cannot know its parent by getppid(2).
void DescriptorSetup::open_parent_pidfd() {
    const long pidfd = syscall(SYS_pidfd_open, getpid(), 0);
    if (pidfd >= 0) {
        parent_pidfd_ = owned(static_cast<int>(pidfd), "pidfd_open");
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
        fail("pidfd_open");  // else an old kernel or a filter: the child does without
    }
}

void DescriptorSetup::open_reaper(FirstProcess which) {
    Pipe status = open_pipe("pipe for the program's status");
    // Another process that happens to hold the other end must not keep a wait from ending.
    if (fcntl(status.read.get(), F_SETFL, O_NONBLOCK) < 0) {
        fail("fcntl(F_SETFL)");
    }
    const int file = reaper_file();
    if (file < 0) {
        const int error = errno;
        throw ErrorWithHint(error, "memory file of the reaper", hint_for_reaper(error));
    }
    status_pipe_read_ = std::move(status.read);
    status_pipe_write_ = std::move(status.write);
    reaper_ = {.file = file,
               .status_pipe = status_pipe_write_.get(),
               .lasts = which == FirstProcess::lasting_reaper};
    kept_.insert(kept_.end(), {reaper_.file, reaper_.status_pipe});
}

// One message for each descriptor: so none is read in part.
void DescriptorSetup::open_channel() {
    int ends[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        fail("socketpair");
    }
    UniqueFd second(ends[1]);
    parents_channel_ = owned(ends[0], "socketpair");
    childs_channel_ = owned(second.release(), "socketpair");
}

void DescriptorSetup::keep(int fd, const std::string& whose) {
    check(fd, whose);
    kept_.push_back(fd);
}

void DescriptorSetup::redirect_streams(const Streams& streams, StandardStreams& parents) {
    redirect_stream(streams.input, STDIN_FILENO, parents);
    // The one that is the same as the other comes after it.
    const bool is_error_first = streams.output.kind() == Stdio::Kind::same_as_error;
    redirect_stream(is_error_first ? streams.error : streams.output,
                    is_error_first ? STDERR_FILENO : STDOUT_FILENO, parents);
    redirect_stream(is_error_first ? streams.output : streams.error,
                    is_error_first ? STDOUT_FILENO : STDERR_FILENO, parents);
}

void DescriptorSetup::redirect_stream(const Stdio& stream, int number, StandardStreams& parents) {
    switch (stream.kind()) {
        case Stdio::Kind::inherit:
            return;
        case Stdio::Kind::descriptor:
            redirections_.push_back({.from = stream.fd(), .to = number});
            return;
        case Stdio::Kind::same_as_output:
        case Stdio::Kind::same_as_error: {
            const int other = number == STDERR_FILENO ? STDOUT_FILENO : STDERR_FILENO;
            const auto its =
                std::find_if(redirections_.begin(), redirections_.end(),
                             [other](const Redirection& one) { return one.to == other; });
            // One that is inherited has its own number.
            redirections_.push_back(
                {.from = its != redirections_.end() ? its->from : other, .to = number});
            return;
        }
        default: {
            OpenedStream opened = open_stream(stream, number);
            parents.put(number, std::move(opened.parents));
            redirections_.push_back(
                {.from = keep_for_child(std::move(opened.childs)), .to = number});
        }
    }
}

int DescriptorSetup::keep_for_child(UniqueFd opened) {
    if (opened.get() <=
        highest_reserved_) {  // a part may fill that number before it is put in place
        opened.reset(duplicate_from(opened.get(), highest_reserved_ + 1));
        if (!opened) {
            fail("fcntl(F_DUPFD_CLOEXEC)");
        }
    }
    kept_.push_back(opened.get());
    childs_streams_.push_back(std::move(opened));
    return kept_.back();
}

void DescriptorSetup::mark_overwritten_sources() {
    std::set<int> overwritten;
    for (const Redirection& redirection : redirections_) {
        if (redirection.from != redirection.to) {
            overwritten.insert(redirection.to);
        }
    }
    for (Redirection& redirection : redirections_) {
        redirection.is_source_overwritten = overwritten.contains(redirection.from);
    }
}

ParentPlan DescriptorSetup::parent_plan(const Barrier& barrier, Starter starter) const noexcept {
    syncspawn_barrier none{};
    none.local_fd = none.remote_fd = none.pipe_read_fd = none.pipe_write_fd = none.peer_pidfd = -1;
    return {.pid = own_pid(),
            .pidfd = parent_pidfd_.get(),
            .exec_pipe = exec_pipe_write_.get(),
            .channel = childs_channel_.get(),
            .barrier = barrier.is_open() ? *barrier.native() : none,
            .starter = starter};
}

void DescriptorSetup::sort_kept() {
    std::sort(kept_.begin(), kept_.end());
    kept_.erase(std::unique(kept_.begin(), kept_.end()), kept_.end());
    kept_.erase(kept_.begin(), std::find_if(kept_.begin(), kept_.end(),
                                            [](int fd) { return fd > STDERR_FILENO; }));
}

int DescriptorSetup::lowest_internal() const noexcept {
    const bool is_handed_over = static_cast<bool>(exec_pipe_write_);
    const bool are_numbers_taken =
        is_handed_over || leaves_others_ || !redirections_.empty() || highest_reserved_ >= 0;
    int lowest = are_numbers_taken ? lowest_internal_fd : STDERR_FILENO + 1;
    lowest = std::max(lowest, highest_reserved_ + 1);
    for (const Redirection& redirection : redirections_) {
        lowest = std::max(lowest, redirection.to + 1);
    }
    return lowest;
}

DescriptorPlan DescriptorSetup::plan(const ParentPlan& parent) {
    const syncspawn_barrier& barrier = parent.barrier;
    kept_.insert(kept_.end(), {parent.exec_pipe, parent.channel, parent.pidfd, barrier.local_fd,
                               barrier.remote_fd, barrier.pipe_read_fd, barrier.pipe_write_fd});
    sort_kept();
    mark_overwritten_sources();
    safe_sources_.resize(redirections_.size());
    return {.redirections = redirections_.data(),
            .redirection_count = redirections_.size(),
            .safe_sources = safe_sources_.data(),
            .lowest_internal_fd = lowest_internal(),
            .kept = kept_.data(),
            .kept_count = kept_.size(),
            .leaves_others = leaves_others_,
            .tries_if_busy = are_others_in_flight() ? tries_beside_other_launches : 1};
}

void DescriptorSetup::close_childs_ends() {
    exec_pipe_write_.reset();
    parent_pidfd_.reset();
    status_pipe_write_.reset();
    childs_channel_.reset();
    childs_streams_.clear();
}

}  // namespace syncspawn::detail
