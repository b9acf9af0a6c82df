#include <syncspawn/launcher/synced_spawner.hpp>

#include <utility>

#include "barrier/linux/cancellation.hpp"
#include "launcher/course/course.hpp"
#include "launcher/plan/draft.hpp"
#include "launcher/plan/explanation.hpp"
#include "launcher/start/parked_thread.hpp"

namespace syncspawn {

SyncedSpawner::SyncedSpawner(SpawnOptions options)
    : draft_(std::make_unique<detail::Draft>(std::move(options))) {}
SyncedSpawner::SyncedSpawner(std::unique_ptr<detail::Draft> draft) noexcept
    : draft_(std::move(draft)) {}
SyncedSpawner::SyncedSpawner(SyncedSpawner&&) noexcept = default;
SyncedSpawner& SyncedSpawner::operator=(SyncedSpawner&&) noexcept = default;
SyncedSpawner::SyncedSpawner(const SyncedSpawner& other)
    : draft_(other.draft_ != nullptr ? std::make_unique<detail::Draft>(*other.draft_) : nullptr) {}
SyncedSpawner& SyncedSpawner::operator=(const SyncedSpawner& other) {
    return *this = SyncedSpawner(other);
}
SyncedSpawner::~SyncedSpawner() = default;

SyncedSpawner& SyncedSpawner::step(Step step) {
    draft_->add(std::move(step));
    return *this;
}

SyncedSpawner& SyncedSpawner::rendezvous(std::string name) {
    draft_->add(detail::Rendezvous{std::move(name)});
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

Process SyncedSpawner::spawn(SpawnError& error) const { return spawn(Deadline::max(), error); }

Process SyncedSpawner::spawn(Deadline deadline, SpawnError& error) const {
    const detail::CancellationHeldBack held_back;
    detail::Course course(draft_->definition(), detail::Waiter::Manner::sleeps, deadline);
    course.advance();
    return course.take_result(error);
}

Launch SyncedSpawner::launch() const { return launch(Deadline::max()); }

Launch SyncedSpawner::launch(Deadline deadline) const {
    return Launch(std::make_unique<detail::Course>(draft_->definition(),
                                                   detail::Waiter::Manner::looks, deadline));
}

PlannedLaunch SyncedSpawner::explain() const {
    return detail::explanation_of(*draft_->definition());
}

const SpawnOptions& SyncedSpawner::options() const noexcept { return draft_->options(); }

bool SyncedSpawner::waits_for_the_program() const noexcept {
    return options().readiness.within || draft_->has_part_after_execve();
}

SyncedSpawner SyncedSpawner::with(SpawnOptions options) const {
    auto draft = std::make_unique<detail::Draft>(std::move(options));
    draft->add_all_of(*draft_);
    return SyncedSpawner(std::move(draft));
}

}  // namespace syncspawn
