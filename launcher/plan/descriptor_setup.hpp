#pragma once

#include <string>
#include <utility>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/spawn_options.hpp>

#include "launcher/child/plan.hpp"
#include "schedule.hpp"
#include "standard_streams.hpp"

namespace syncspawn::detail {

// The descriptors of one launch beside its barrier: those opened for it, and the numbers that the
// child keeps and rearranges. All are close-on-exec and none is below 3.
class DescriptorSetup {
    // While it is there, children of other launches may get copies of what the caller has open.
    struct InFlight {
        InFlight() noexcept;
        ~InFlight();
        InFlight(const InFlight&) = delete;
        InFlight& operator=(const InFlight&) = delete;
    };

public:
    // Launches of this process, when there is one already.
    [[nodiscard]] static bool are_others_in_flight() noexcept;

    // Throws std::system_error. The caller's ends of pipes go into `streams`.
    DescriptorSetup(const SpawnOptions& options, const std::vector<Entry>& entries, int cgroup,
                    bool hand_over, StandardStreams& streams);

    // What ties the child to this process, with its copy of the barrier.
    [[nodiscard]] ParentPlan parent_plan(const Barrier& barrier, Starter starter) const noexcept;
    [[nodiscard]] const ReaperPlan& reaper_plan() const noexcept { return reaper_; }
    // The end to read of the pipe on which a reaper tells how the program ended; empty without one.
    [[nodiscard]] UniqueFd take_status_pipe() noexcept { return std::move(status_pipe_read_); }
    // The child also keeps the descriptors by which it knows its parent.
    [[nodiscard]] DescriptorPlan plan(const ParentPlan& parent);
    // After the start: what only the child should hold.
    void close_childs_ends();
    // Hung up by execve, as the barrier's own pipe is if that is not handed over: -1 then.
    [[nodiscard]] int exec_pipe() const noexcept { return exec_pipe_read_.get(); }
    // The parent's end of what the child's parts send descriptors by; none if no step does.
    [[nodiscard]] UniqueFd take_channel() noexcept { return std::move(parents_channel_); }

private:
    void keep(int fd, const std::string& whose);
    void open_parent_pidfd();
    void open_reaper(FirstProcess which);
    void open_channel();
    void redirect_streams(const Streams& streams, StandardStreams& parents);
    void redirect_stream(const Stdio& stream, int number, StandardStreams& parents);
    int keep_for_child(UniqueFd opened);

    void sort_kept();
    void mark_overwritten_sources();
    [[nodiscard]] int lowest_internal() const noexcept;

    InFlight in_flight_;
    UniqueFd exec_pipe_read_;
    UniqueFd exec_pipe_write_;
    UniqueFd parent_pidfd_;
    UniqueFd status_pipe_read_;
    UniqueFd status_pipe_write_;
    ReaperPlan reaper_{.file = -1, .status_pipe = -1, .lasts = false};
    UniqueFd parents_channel_;
    UniqueFd childs_channel_;
    std::vector<UniqueFd> childs_streams_;
    std::vector<Redirection> redirections_;
    std::vector<int> safe_sources_;
    std::vector<int> kept_;
    int highest_reserved_ = -1;
    bool leaves_others_;
};

}  // namespace syncspawn::detail
