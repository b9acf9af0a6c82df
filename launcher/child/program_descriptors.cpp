#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include <syncspawn/barrier/hand_over.hpp>

#include "child.hpp"
#include "open_descriptors.hpp"

namespace syncspawn::detail {
namespace {

constexpr std::array standard_streams{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};

// Where nothing was kept for the setup, and no part could open anything, nothing else is open.
void keep_nothing_but_streams(Child& child) noexcept {
    const DescriptorPlan& plan = child.plan.descriptors;
    const bool is_alone_open = plan.kept_count == 0 && !child.plan.order.has_parts;
    if (!plan.leaves_others && !is_alone_open &&
        !close_on_exec_all_but(standard_streams.data(), standard_streams.size())) {
        child.fail({child.plan.order.descriptors_item, errno, "close_range"});
    }
}

// The sources that are overwritten go to numbers that no redirection fills: two may want to change
// places.
void bring_sources_to_safety(Child& child) noexcept {
    const DescriptorPlan& plan = child.plan.descriptors;
    for (std::size_t index = 0; index < plan.redirection_count; ++index) {
        const Redirection& redirection = plan.redirections[index];
        plan.safe_sources[index] =
            redirection.is_source_overwritten
                ? fcntl(redirection.from, F_DUPFD_CLOEXEC, plan.lowest_internal_fd)
                : redirection.from;
        if (plan.safe_sources[index] < 0) {
            child.fail({child.plan.order.descriptors_item, errno, "fcntl(F_DUPFD_CLOEXEC)",
                        KnownCall::duplication});
        }
    }
}

void redirect(Child& child) noexcept {
    const DescriptorPlan& plan = child.plan.descriptors;
    for (std::size_t index = 0; index < plan.redirection_count; ++index) {
        const int from = plan.safe_sources[index];
        const int to = plan.redirections[index].to;
        // dup2(2) of a number onto itself leaves the close-on-exec flag.
        if ((from == to ? fcntl(to, F_SETFD, 0) : dup2(from, to)) < 0) {
            // So dup2(2) says, too, that RLIMIT_NOFILE is below the new number.
            const bool is_limit = errno == EBADF && fcntl(from, F_GETFD) >= 0;
            child.fail({child.plan.order.descriptors_item, is_limit ? EMFILE : errno, "dup2"});
        }
    }
}

void hand_over_barrier(Child& child) noexcept {
    const HandOverPlan& plan = child.plan.hand_over;
    const std::uint32_t item = child.plan.order.descriptors_item;
    if (plan.environment == nullptr) {
        return;
    }
    refuse_replaced_environment(child, item);
    if (export_barrier(child.barrier, child.exported, child.plan.descriptors.lowest_internal_fd) !=
        Outcome::reached) {
        child.fail({item, child.barrier.error().value(), "hand over the barrier"});
    }
    char** const variables = plan.environment + plan.variables;
    variables[0] = child.exported.local_fd;
    variables[1] = child.exported.remote_fd;
    variables[2] = child.exported.pipe_fd;
    variables[3] = child.exported.state;
}

}  // namespace

void refuse_replaced_environment(Child& child, std::uint32_t item) noexcept {
    if (child.plan.hand_over.environment != nullptr && child.replacement.environment != nullptr) {
        child.fail({item, EINVAL, "a part has replaced the environment"});
    }
}

void arrange_descriptors(Child& child) noexcept {
    const std::uint32_t item = child.plan.order.descriptors_item;
    child.record.begin(WhichSide::child, item);
    keep_nothing_but_streams(child);
    bring_sources_to_safety(child);
    redirect(child);
    hand_over_barrier(child);
}

}  // namespace syncspawn::detail
