#pragma once

#include <poll.h>

#include <array>
#include <cstdint>
#include <optional>

#include <syncspawn/barrier/barrier.hpp>

#include "launcher/child/launch_record.hpp"
#include "launcher/child/words.hpp"
#include "launcher/plan/schedule.hpp"
#include "launcher/readiness/meeting.hpp"
#include "launcher/result/child_handle.hpp"

namespace syncspawn::detail {

// The parent's half of what keeps the two sides in step until execve: a barrier, or two words of shared memory where
// the parent sleeps and has nothing but the child to wait for. The course does not know which.
class Contact {
public:
    // All three must stay where they are.
    Contact(Barrier& barrier, const ChildHandle& child) noexcept
        : barrier_(barrier), meeting_(barrier), child_(child) {}

    // From the start on, until the child has executed its program.
    void go_by_words(Word& childs, LaunchRecord& record) noexcept;
    void forget_words() noexcept { childs_word_ = nullptr; }
    [[nodiscard]] bool goes_by_words() const noexcept { return childs_word_ != nullptr; }

    // One rendezvous, the next of the schedule: how it ended; none yet. Waits until then at most; a time in the past
    // makes it a look, none waits for ever. By words the last one is over only when the child has left the memory,
    // or the time has passed.
    std::optional<Outcome> meet(const Item& item, bool is_last,
                                const std::optional<Deadline>& may_wait_until);
    // What tells that there is more to do; by words nothing does.
    [[nodiscard]] Polled polled() const noexcept;
    // Those of it that tell of the child while this side waits for something else.
    [[nodiscard]] std::array<pollfd, 2> signs_of_the_child() const noexcept;
    // Takes what the child has said or what became of it; `reached` and `timed_out` if that is nothing.
    Outcome look() noexcept;
    // By words: whether the child has left the memory by then.
    bool child_leaves_by(Deadline deadline);
    // By words: a part may have told the kernel to forget the child's (set_tid_address). Then its end, and its execve,
    // are found by this alone; call it when the child has ended, and from time to time. A descriptor tells of no execve
    // either.
    void look_behind_the_word();
    [[nodiscard]] Deadline look_again_at() const noexcept;
    void give_up() noexcept;

private:
    enum class Seen { there, not_yet, left };
    [[nodiscard]] Seen what_says(std::uint32_t word) const noexcept;
    std::optional<Outcome> meet_by_words(Waits waits, bool is_last,
                                         const std::optional<Deadline>& may_wait_until);
    bool sleep_while_it_says(std::uint32_t seen, const std::optional<Deadline>& deadline);
    [[nodiscard]] Outcome after_leaving() const noexcept;

    Barrier& barrier_;
    Meeting meeting_;
    const ChildHandle& child_;
    Word* childs_word_ = nullptr;
    LaunchRecord* record_ = nullptr;
    std::uint32_t rendezvous_ = 0;
    bool has_placed_ = false;
};

}  // namespace syncspawn::detail
