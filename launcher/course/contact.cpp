#include "contact.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "barrier/linux/time_left.hpp"
#include "launcher/plan/descriptor_setup.hpp"
#include "launcher/result/program_state.hpp"

namespace syncspawn::detail {

using std::chrono::steady_clock;

namespace {

// A child that starts on another CPU is there in less, mostly, and to fall asleep and be woken takes as long.
constexpr auto longest_look = std::chrono::microseconds(40);

// After a look in vain, as where other programs keep the CPUs busy, so many sleep at once.
constexpr int left_out_after_one_in_vain = 15;
std::atomic<int> looks_to_leave_out{0};

bool may_use_several_cpus() noexcept {
    cpu_set_t allowed;
    return sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) > 1;
}

void let_the_other_thread_of_this_core_run() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

void look_before_sleep(const Word& word, std::uint32_t seen) noexcept {
    if (looks_to_leave_out.load(std::memory_order_relaxed) > 0) {
        looks_to_leave_out.fetch_sub(1, std::memory_order_relaxed);
        return;
    }
    // The child of another launch may want this CPU.
    if (DescriptorSetup::are_others_in_flight() || !may_use_several_cpus()) {
        return;
    }
    for (const Deadline end = steady_clock::now() + longest_look; steady_clock::now() < end;) {
        if (word.load(std::memory_order_acquire) != seen) {
            return;
        }
        let_the_other_thread_of_this_core_run();
    }
    looks_to_leave_out.store(left_out_after_one_in_vain, std::memory_order_relaxed);
}

}  // namespace

void Contact::go_by_words(Word& childs, LaunchRecord& record) noexcept {
    childs_word_ = &childs;
    record_ = &record;
}

std::optional<Outcome> Contact::meet(const Item& item, bool is_last,
                                     const std::optional<Deadline>& may_wait_until) {
    return goes_by_words() ? meet_by_words(item.waits, is_last, may_wait_until)
                           : meeting_.advance(may_wait_until);
}

Polled Contact::polled() const noexcept {
    return goes_by_words() ? Polled{hung_up(-1), hung_up(-1), hung_up(-1), hung_up(-1)}
                           : meeting_.polled();
}

std::array<pollfd, 2> Contact::signs_of_the_child() const noexcept {
    const syncspawn_barrier& side = *barrier_.native();
    return goes_by_words() ? std::array{hung_up(-1), hung_up(-1)}
                           : std::array{readable(side.remote_fd), hung_up(side.pipe_read_fd)};
}

Outcome Contact::look() noexcept {
    if (!goes_by_words()) {
        return barrier_.poll_now();
    }
    return childs_word_->load() == left_memory ? after_leaving() : Outcome::reached;
}

void Contact::look_behind_the_word() {
    if (!goes_by_words() || childs_word_->load() == left_memory) {
        return;
    }
    const Deadline past{};
    if (child_.wait_for_end(&past) || execution_of(child_.pid()) == Execution::done) {
        childs_word_->store(left_memory);
    }
}

Deadline Contact::look_again_at() const noexcept {
    return goes_by_words() ? after(std::chrono::milliseconds(100)) : Deadline::max();
}

// Only one that was given leave can have left by execve.
Outcome Contact::after_leaving() const noexcept {
    return record_->commit.load() == Commit::hot ? Outcome::reached : Outcome::peer_gone;
}

// The child is woken only if it is there already: else it finds the word as it comes. Both write before they read.
std::optional<Outcome> Contact::meet_by_words(Waits waits, bool is_last,
                                              const std::optional<Deadline>& may_wait_until) {
    if (!has_placed_) {
        has_placed_ = true;
        record_->parents_word.store(++rendezvous_);
        if (waits != Waits::parent && what_says(childs_word_->load()) == Seen::there) {
            wake(record_->parents_word, Waker::other_side);
        }
    }
    bool may_look_first = !is_last;  // there it is execve that takes the time
    for (bool is_late = false;;) {
        const std::uint32_t word =
            childs_word_->load();  // once: what is judged is what is slept on
        const Seen seen = what_says(word);
        const bool is_over = seen == Seen::left || waits == Waits::child ||
                             (seen == Seen::there && (!is_last || is_late));
        if (is_over) {
            has_placed_ = false;
            return seen == Seen::left ? after_leaving() : Outcome::reached;
        }
        if (is_late) {
            return std::nullopt;
        }
        if (std::exchange(may_look_first, false)) {
            look_before_sleep(*childs_word_, word);
            continue;
        }
        is_late = !sleep_while_it_says(word, may_wait_until);
    }
}

Contact::Seen Contact::what_says(std::uint32_t word) const noexcept {
    return word == left_memory                   ? Seen::left
           : word >= childs_word_at(rendezvous_) ? Seen::there
                                                 : Seen::not_yet;
}

// Until the child's word may be another, or the deadline has passed: false then.
bool Contact::sleep_while_it_says(std::uint32_t seen, const std::optional<Deadline>& deadline) {
    const Deadline look = look_again_at();
    const Deadline until = std::min(look, deadline.value_or(Deadline::max()));
    sleep_while(*childs_word_, Waker::kernel, seen, time_left(to_timespec(until)));
    const Deadline now = steady_clock::now();
    if (now >= look && childs_word_->load() == seen) {
        look_behind_the_word();
    }
    return !deadline || now < *deadline;
}

bool Contact::child_leaves_by(Deadline deadline) {
    bool is_late = false;
    for (std::uint32_t word = 0; (word = childs_word_->load()) != left_memory;) {
        if (is_late) {
            return false;
        }
        is_late = !sleep_while_it_says(word, deadline);
    }
    return true;
}

void Contact::give_up() noexcept {
    if (!goes_by_words()) {
        (void)barrier_.abort();
        return;
    }
    record_->parents_word.store(given_up);
    wake(record_->parents_word, Waker::other_side);
}

}  // namespace syncspawn::detail
