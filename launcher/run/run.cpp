#include <syncspawn/launcher/run.hpp>

#include <stdexcept>
#include <utility>

#include "barrier/linux/cancellation.hpp"
#include "run_engine.hpp"

namespace syncspawn {
namespace {

std::vector<SyncedSpawner> spawners_of(const std::vector<SpawnOptions>& programs) {
    std::vector<SyncedSpawner> spawners;
    spawners.reserve(programs.size());
    for (const SpawnOptions& program : programs) {
        spawners.emplace_back(program);
    }
    return spawners;
}

RunResult or_throw(const std::vector<SyncedSpawner>& programs, const RunOptions& options) {
    SpawnError error;
    RunResult result = run_pipeline(programs, options, error);
    if (error) {
        throw SpawnError(error);
    }
    return result;
}

}  // namespace

RunResult run(const SyncedSpawner& spawner, const RunOptions& options) {
    return or_throw({spawner}, options);
}
RunResult run(const SpawnOptions& program, const RunOptions& options) {
    return or_throw({SyncedSpawner(program)}, options);
}
RunResult run(const SyncedSpawner& spawner, const RunOptions& options, SpawnError& error) {
    return run_pipeline(std::vector{spawner}, options, error);
}
RunResult run(const SpawnOptions& program, const RunOptions& options, SpawnError& error) {
    return run_pipeline(std::vector{SyncedSpawner(program)}, options, error);
}

RunResult run_pipeline(const std::vector<SyncedSpawner>& programs, const RunOptions& options) {
    return or_throw(programs, options);
}
RunResult run_pipeline(const std::vector<SpawnOptions>& programs, const RunOptions& options) {
    return or_throw(spawners_of(programs), options);
}
RunResult run_pipeline(const std::vector<SpawnOptions>& programs, const RunOptions& options,
                       SpawnError& error) {
    return run_pipeline(spawners_of(programs), options, error);
}
RunResult run_pipeline(const std::vector<SyncedSpawner>& programs, const RunOptions& options,
                       SpawnError& error) {
    const detail::CancellationHeldBack held_back;
    detail::RunEngine engine(programs, options, detail::RunEngine::DrivenBy::finish);
    engine.finish();
    return engine.take_result(error);
}

Run::Run() noexcept = default;
Run::Run(const SyncedSpawner& spawner, RunOptions options)
    : Run(std::vector{spawner}, std::move(options)) {}
Run::Run(const std::vector<SyncedSpawner>& pipeline, RunOptions options)
    : engine_(std::make_shared<detail::RunEngine>(pipeline, std::move(options),
                                                  detail::RunEngine::DrivenBy::event_loop)) {}
Run::Run(Run&&) noexcept = default;

Run& Run::operator=(Run&& other) noexcept {
    if (this != &other) {
        Run old(std::move(*this));
        engine_ = std::move(other.engine_);
    }
    return *this;
}

Run::~Run() {
    const detail::CancellationHeldBack held_back;
    if (engine_.use_count() > 1) {  // a callback of its own does this
        engine_->abandon();
    }
    engine_.reset();
}

detail::RunEngine& Run::engine() const {
    if (engine_ == nullptr) {
        throw std::logic_error("syncspawn::Run: there is no run");
    }
    if (!engine_->is_of_this_process()) {
        throw std::logic_error(
            "syncspawn::Run: it is under way in another process, of which this one is a copy");
    }
    return *engine_;
}

bool Run::advance() {
    const detail::CancellationHeldBack held_back;
    (void)engine();
    // A callback may destroy this Run.
    const std::shared_ptr<detail::RunEngine> until_the_end_of_the_pass = engine_;
    return until_the_end_of_the_pass->advance();
}

int Run::descriptor() const { return engine().descriptor(); }

void Run::cancel() { engine().cancel(); }

RunResult Run::take_result() {
    SpawnError error;
    RunResult result = take_result(error);
    if (error) {
        throw SpawnError(error);
    }
    return result;
}

RunResult Run::take_result(SpawnError& error) {
    if (!engine().is_over()) {
        throw std::logic_error("syncspawn::Run: it is not over yet");
    }
    const std::shared_ptr<detail::RunEngine> engine = std::move(engine_);
    return engine->take_result(error);
}

}  // namespace syncspawn
