#include "child.hpp"

#include <unistd.h>

#include <utility>

#include "words.hpp"

namespace syncspawn::detail {
namespace {

constexpr int exit_code_of_failure = 125;

}  // namespace

void Child::fail(const Failed& failed) noexcept {
    FailureSlot& slot = record.child_failure;
    slot.item = failed.item;
    slot.error = failed.error;
    if (failed.text != nullptr) {
        slot.set_text(failed.text);
        slot.call = failed.call;
    }
    report();
    leave();
}

void Child::report() noexcept { record.claim(WhichSide::child); }

// The report first, the abort second: who sees the abort finds the report.
void Child::leave() noexcept {
    if (barrier.is_open()) {
        (void)barrier.abort();
    }
    vanish();
}

void Child::vanish() noexcept { _exit(exit_code_of_failure); }

void Child::leave_if_told_to(std::uint32_t item) noexcept {
    if (barrier.is_open()) {
        leave_if_aborted(barrier.poll_now(), item);
    } else if (record.parents_word.load() == given_up) {
        vanish();
    }
}

void Child::meet(const ChildOperation& rendezvous) noexcept {
    if (barrier.is_open()) {
        leave_if_aborted(barrier.place_and_sync(), rendezvous.item);
    } else {
        meet_by_words(rendezvous);
    }
}

// The parent is woken only if it sleeps there already. At the last rendezvous it sleeps on until this side has left the
// memory. The parent's death ends this side by a signal; where that was refused, the looks do.
void Child::meet_by_words(const ChildOperation& rendezvous) noexcept {
    const std::uint32_t number = ++rendezvous_;
    const bool is_last = number == plan.order.rendezvous_count;
    Word& parents = record.parents_word;
    arrival.word->store(childs_word_at(number));
    if (!is_last && rendezvous.waits != Waits::child && parents.load() >= number) {
        wake(*arrival.word, Waker::kernel);
    }
    std::uint32_t seen = parents.load();
    while (rendezvous.waits != Waits::parent && seen < number) {
        sleep_while(parents, Waker::other_side, seen, between_looks);
        const std::uint32_t before = std::exchange(seen, parents.load());
        if (seen == before) {
            leave_if_orphaned();
        }
    }
    if (seen == given_up) {
        vanish();
    }
}

pid_t Child::leave_if_orphaned() const noexcept {
    const pid_t now = getppid();
    if (now != 0 && now != parent) {
        vanish();
    }
    return now;
}

void Child::leave_if_aborted(Outcome outcome, std::uint32_t item) noexcept {
    switch (outcome) {
        case Outcome::reached:
        case Outcome::timed_out:  // of poll_now: places are owed, which is no concern here
            return;
        case Outcome::failed:
            fail({item, barrier.error().value(), "barrier"});
        default:
            vanish();
    }
}

}  // namespace syncspawn::detail
