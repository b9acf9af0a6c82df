#include <syncspawn/launcher/synced_spawner.hpp>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <utility>

#include "barrier/linux/cancellation.hpp"
#include "launcher/course/course.hpp"
#include "launcher/plan/definition.hpp"
#include "launcher/start/parked_thread.hpp"

namespace syncspawn {
namespace {

void require(bool is_met, const std::string& rule) {
    if (!is_met) {
        throw std::invalid_argument("syncspawn: " + rule);
    }
}

bool has_nul(const std::string& text) { return text.find('\0') != std::string::npos; }

bool is_negative(const std::optional<std::chrono::nanoseconds>& duration) {
    return duration && duration->count() < 0;
}

void check(const SpawnOptions& options) {
    require(!options.program.empty(), "the program must have a name");
    require(!has_nul(options.program) && !has_nul(options.working_directory) &&
                !has_nul(options.argument_zero.value_or("")) &&
                std::none_of(options.arguments.begin(), options.arguments.end(), has_nul),
            "program, arguments and working directory must not contain a NUL");
    std::vector<int> targets;
    for (const PassedDescriptor& passed : options.descriptors.passed) {
        require(passed.from >= 0, "a passed descriptor must have a number to come from");
        require(passed.to > 2, "a passed descriptor must become 3 or more: 0 to 2 are the streams");
        require(passed.to < 1 << 30, "descriptor " + std::to_string(passed.to) + " is too large");
        require(std::find(targets.begin(), targets.end(), passed.to) == targets.end(),
                "descriptor " + std::to_string(passed.to) + " cannot be filled twice");
        targets.push_back(passed.to);
    }
    for (const int number : options.descriptors.filled_by_parts) {
        require(number >= 0 && number < 1 << 30,
                "the parts cannot fill descriptor " + std::to_string(number));
    }
    require(!is_negative(options.setup.within) && !is_negative(options.readiness.within) &&
                options.setup.abort_grace.count() >= 0,
            "a duration must not be negative");
    detail::check(options.ending.stop);
    require(options.ending.scope != KillScope::cgroup || options.birth.cgroup >= 0,
            "KillScope::cgroup takes a cgroup: `birth.cgroup`");
}

void check(const SpawnOptions& options, const Step& step) {
    require(!step.name.empty(), "a step must have a name");
    require(step.child.run || step.parent, "step '" + step.name + "' has no part");
    require(!step.exec_failed || step.child.run,
            "step '" + step.name + "' is to hear of a failed execve but has no child part");
    require(!step.undo || step.parent,
            "step '" + step.name + "' has an undo but no parent part to take back");
    require(
        !step.child.run || options.birth.namespaces == Namespaces::none ||
            step.child.rules != ChildRules::after_fork,
        "step '" + step.name +
            "': with namespaces at birth the child is not started by fork, so a child part must "
            "be ChildRules::async_signal_safe or shared_memory");
    require(
        !step.child.run || options.birth.method != StartMethod::shared_memory ||
            step.child.rules == ChildRules::shared_memory,
        "step '" + step.name +
            "': StartMethod::shared_memory takes child parts that are ChildRules::shared_memory");
}

}  // namespace

SyncedSpawner::Definition::Definition(std::shared_ptr<const SpawnOptions> wanted,
                                      std::vector<detail::Entry> added)
    : shared_options(std::move(wanted)),
      entries(std::move(added)),
      schedule(detail::make_schedule(entries, options.program, options.working_directory)),
      plan(options, schedule) {}

bool SyncedSpawner::Definition::child_parts_may_share_memory() const noexcept {
    return std::all_of(entries.begin(), entries.end(), [](const detail::Entry& entry) {
        return !entry.step.child.run || entry.step.child.rules == ChildRules::shared_memory;
    });
}

bool SyncedSpawner::Definition::leaves_the_parent_nothing_to_do() const noexcept {
    return entries.empty() && !options.setup.within && options.setup.cancel_when_readable < 0 &&
           !plan.plan().hand_over;
}

StartMethod SyncedSpawner::Definition::start_method() const noexcept {
    return child_parts_may_share_memory() ? options.birth.method : StartMethod::copied_memory;
}

// What was asked for so far. The definition is made from it when it is first needed, so that adding a
// step costs the same however many there are. Without a lock: a fork in the midst of that would leave
// the copy waiting for ever.
class SyncedSpawner::Draft {
public:
    explicit Draft(SpawnOptions options)
        : options_(std::make_shared<const SpawnOptions>(std::move(options))) {}
    Draft(const Draft& other) : options_(other.options_), entries_(other.entries_) {
        if (const Made* const made = other.made_.load(std::memory_order_acquire)) {
            made_.store(new Made(*made), std::memory_order_relaxed);
        }
    }
    Draft& operator=(const Draft&) = delete;
    ~Draft() { delete made_.load(std::memory_order_relaxed); }

    const SpawnOptions& options() const noexcept { return *options_; }

    void add(detail::Entry entry) {
        entries_.push_back(std::move(entry));
        delete made_.exchange(nullptr, std::memory_order_relaxed);
    }

    // By any number of threads at once: the first to be done makes that of all.
    std::shared_ptr<const Definition> definition() const {
        if (const Made* const made = made_.load(std::memory_order_acquire)) {
            return *made;
        }
        auto own =
            std::make_unique<const Made>(std::make_shared<const Definition>(options_, entries_));
        const Made* made = nullptr;
        if (made_.compare_exchange_strong(made, own.get(), std::memory_order_acq_rel)) {
            made = own.release();
        }
        return *made;
    }

private:
    using Made = std::shared_ptr<const Definition>;
    std::shared_ptr<const SpawnOptions> options_;
    std::vector<detail::Entry> entries_;
    mutable std::atomic<const Made*> made_{nullptr};
};

SyncedSpawner::SyncedSpawner(SpawnOptions options) {
    check(options);
    draft_ = std::make_unique<Draft>(std::move(options));
}

SyncedSpawner::SyncedSpawner(SyncedSpawner&&) noexcept = default;
SyncedSpawner& SyncedSpawner::operator=(SyncedSpawner&&) noexcept = default;
SyncedSpawner::SyncedSpawner(const SyncedSpawner& other)
    : draft_(other.draft_ != nullptr ? std::make_unique<Draft>(*other.draft_) : nullptr) {}
SyncedSpawner& SyncedSpawner::operator=(const SyncedSpawner& other) {
    return *this = SyncedSpawner(other);
}
SyncedSpawner::~SyncedSpawner() = default;

SyncedSpawner& SyncedSpawner::step(Step step) {
    check(draft_->options(), step);
    draft_->add({.step = std::move(step)});
    return *this;
}

SyncedSpawner& SyncedSpawner::rendezvous(std::string name) {
    require(!name.empty(), "a rendezvous must have a name");
    draft_->add({.rendezvous = std::move(name)});
    return *this;
}

void SyncedSpawner::end_idle_threads() noexcept { detail::end_idle_threads(); }

Process SyncedSpawner::spawn() const {
    SpawnError error;
    Process process = spawn(error);
    if (error) {
        throw SpawnError(error);
    }
    return process;
}

Process SyncedSpawner::spawn(SpawnError& error) const {
    const detail::CancellationHeldBack held_back;
    detail::Course course(draft_->definition(), detail::Course::Waits::inside);
    course.advance();
    return course.take_result(error);
}

Launch SyncedSpawner::launch() const {
    return Launch(
        std::make_unique<detail::Course>(draft_->definition(), detail::Course::Waits::outside));
}

}  // namespace syncspawn
