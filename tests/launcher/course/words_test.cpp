#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/shared_memory.hpp"

// The two sides meet by words where memory is shared and spawn() sleeps: what the words do not tell, and in which order
// they let the parts run.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

// From now on the kernel tells neither of this child's end nor of its execve.
void let_the_kernel_forget_the_word() {
    static int nobody_looks_here = 0;
    syscall(SYS_set_tid_address, &nobody_looks_here);
}

Part<ParentSide> waits_for_ever() {
    return [never = UniqueFd(eventfd(0, EFD_CLOEXEC))](ParentSide& side) {
        return side.wait_for(never.get());
    };
}

SyncedSpawner with_child(SpawnOptions options, void (*act)()) {
    SyncedSpawner spawner(with_shared_memory(std::move(options)));
    spawner.step({.name = "x", .child = shared_memory([act](ChildSide& side) {
                                   act();
                                   return side.done();
                               })});
    return spawner;
}

void die_forgotten() {
    let_the_kernel_forget_the_word();
    _exit(3);
}

// As many ticks as parts have begun and ended so far, on both sides.
class Clock {
public:
    int tick() noexcept { return ++now_; }

private:
    std::atomic<int> now_{0};
};

struct Span {
    std::atomic<int> begin{0};
    std::atomic<int> end{0};
};

struct RandomStep {
    std::optional<StepOrder> order;  // none: a rendezvous
    std::array<bool, 2> has_part{};  // the child's, the parent's
    std::array<Span, 2> ran;
};

constexpr std::size_t child = 0;
constexpr std::size_t parent = 1;

// Of what comes earlier, one side's part; of what comes later, the other's.
bool must_come_first(const std::vector<RandomStep>& steps, std::size_t first,
                     std::size_t first_side, std::size_t second, std::size_t second_side) {
    if (first_side == second_side) {
        return first < second;
    }
    const auto orders = [&](const RandomStep& step) {
        return first_side == child ? step.order == StepOrder::child_first
                                   : step.order == StepOrder::parent_first;
    };
    bool is_parted = first <= second && orders(steps[first]);
    for (std::size_t between = first + 1; between < second; ++between) {
        is_parted = is_parted || !steps[between].order;
    }
    return is_parted;
}

void draw(std::vector<RandomStep>& steps, std::mt19937& random) {
    constexpr std::array orders{StepOrder::child_first, StepOrder::parent_first,
                                StepOrder::together};
    for (RandomStep& step : steps) {
        const bool is_rendezvous = random() % 6 == 0;
        if (!is_rendezvous) {
            step.order = orders.at(random() % orders.size());
            step.has_part = {random() % 3 != 0, random() % 3 != 0};
            step.has_part[child] = step.has_part[child] || !step.has_part[parent];
        }
    }
}

template <class Side>
auto takes_its_time(Clock& clock, Span& span, unsigned microseconds) {
    return [&clock, &span, microseconds](Side& side) {
        span.begin = clock.tick();
        if (microseconds > 0) {
            usleep(microseconds);
        }
        span.end = clock.tick();
        return side.done();
    };
}

SyncedSpawner spawner_of(std::vector<RandomStep>& steps, Clock& clock, std::mt19937& random) {
    SyncedSpawner spawner(with_shared_memory({.program = "true"}));
    const auto pause = [&] {
        return random() % 8 == 0 ? static_cast<unsigned>(random() % 200) : 0;
    };
    for (std::size_t number = 0; number < steps.size(); ++number) {
        RandomStep& step = steps[number];
        if (!step.order) {
            spawner.rendezvous("rendezvous " + std::to_string(number));
            continue;
        }
        Step made{.name = std::to_string(number), .order = *step.order};
        if (step.has_part[child]) {
            made.child = shared_memory(takes_its_time<ChildSide>(clock, step.ran[child], pause()));
        }
        if (step.has_part[parent]) {
            made.parent = takes_its_time<ParentSide>(clock, step.ran[parent], pause());
        }
        spawner.step(made);
    }
    return spawner;
}

// Nothing that must come first has ended later than what comes behind it has begun.
bool are_in_order(const std::vector<RandomStep>& steps) {
    for (std::size_t first = 0; first < steps.size(); ++first) {
        for (std::size_t second = first; second < steps.size(); ++second) {
            for (const std::size_t one : {child, parent}) {
                for (const std::size_t other : {child, parent}) {
                    if (steps[first].has_part.at(one) && steps[second].has_part.at(other) &&
                        must_come_first(steps, first, one, second, other) &&
                        steps[first].ran.at(one).end >= steps[second].ran.at(other).begin) {
                        return false;
                    }
                }
            }
        }
    }
    return true;
}

}  // namespace

TEST_CASE("an end that the kernel tells by no word is found, late or not, asleep or in a wait") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    SpawnOptions options{.program = "true"};
    SUBCASE("at a rendezvous") {}
    SUBCASE("at a rendezvous, by a deadline that passes before anybody looks") {
        options.setup.within = 20ms;
    }
    SyncedSpawner spawner = with_child(options, die_forgotten);
    SUBCASE("in a part that waits") { spawner.step({.name = "y", .parent = waits_for_ever()}); }
    const SpawnError error = failure_of(spawner);
    CHECK(std::string(error.what()).find("exited with code 3 in step 'x'") != std::string::npos);
    CHECK(count_children() == 0);
}

TEST_CASE("an execve that the kernel tells by no word is found while the program runs") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    const SyncedSpawner spawner =
        with_child({.program = "sleep", .arguments = {"1000"}}, let_the_kernel_forget_the_word);
    Process process = spawner.spawn();
    CHECK(!process.try_wait());
    process.kill();
    CHECK(process.wait().signal() == SIGKILL);
}

TEST_CASE("a part that executes a program by itself ends the launch, and the parent's wait") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    SyncedSpawner spawner = with_child({.program = "true"}, [] {
        static const char* const arguments[] = {"sleep", "1000", nullptr};
        execv("/bin/sleep", const_cast<char* const*>(arguments));
    });
    SUBCASE("at a rendezvous") {}
    SUBCASE("in a part that waits") { spawner.step({.name = "y", .parent = waits_for_ever()}); }
    CHECK(failure_of(spawner).step() == "x");
    CHECK(count_children() == 0);
}

TEST_CASE("parts of random schedules run in the order that is asked for") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
    for (int round = 0; round < 200; ++round) {
        std::vector<RandomStep> steps(1 + random() % 12);
        draw(steps, random);
        Clock clock;
        CHECK(spawner_of(steps, clock, random).spawn().wait().success());
        CAPTURE(round);
        CHECK(are_in_order(steps));
    }
}
