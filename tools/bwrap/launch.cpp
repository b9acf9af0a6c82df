#include "launch.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include <syncspawn/steps.hpp>

#include "checks.hpp"
#include "diagnosis.hpp"
#include "tools/run/end_as.hpp"
#include "tools/supervise/descendants.hpp"
#include "tools/supervise/held_signals.hpp"
#include "tools/supervise/inherited_descriptors.hpp"
#include "tools/supervise/supervise.hpp"

namespace syncspawn::tools::bwrap {
namespace {

constexpr int own_failure = 1;

// What options name is for this program.
void keep_to_ourselves(const std::vector<int>& descriptors) {
    for (const int fd : descriptors) {
        if (fd > STDERR_FILENO) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
    }
}

SpawnOptions options_for(const Request& request, const HeldSignals& signals) {
    const JoinedNamespaces& joined = request.surroundings.joined;
    keep_to_ourselves(request.gates.descriptors());
    keep_to_ourselves(request.restrictions.descriptors());
    keep_to_ourselves(request.surroundings.files.descriptors());
    keep_to_ourselves({joined.user, joined.second_user, joined.pid});
    SpawnOptions options = request.spawn;
    options.signals.mask = signals.callers_mask();
    options.setup.cancel_when_readable = signals.ending();
    options.descriptors.passed = inherited_descriptors();
    return options;
}

SyncedSpawner spawner_for(const Request& request, const HeldSignals& signals) {
    SyncedSpawner spawner(options_for(request, signals));
    std::vector<std::string> left_out;
    add_early_gates(spawner, request.gates);
    add_to(spawner, request.surroundings, Manner::as_bubblewrap, left_out);
    if (request.new_session) {
        spawner.step(steps::new_session());
    }
    add_late_gates(spawner, request.gates);
    add_to(spawner, request.restrictions, Manner::as_bubblewrap);
    if (request.names_what_is_left_out) {
        for (const std::string& what : left_out) {
            request.speaker.warn("left out: " + what);
        }
    }
    return spawner;
}

int end_as(const Outcome& outcome, const Request& request) {
    if (outcome.error) {
        if (outcome.signal != 0) {
            return die_of(outcome.signal);
        }
        request.speaker.fail(diagnosis(outcome.error, request));
        return own_failure;
    }
    const ExitStatus& status = outcome.status;
    if (outcome.ended_by == EndedBy::a_signal && status.kind() == ExitStatus::Kind::killed) {
        return die_of(status.signal());
    }
    return status.shell_code();
}

}  // namespace

int launch(Request& request) {
    settle(request);
    const HeldSignals signals;
    const SyncedSpawner spawner = spawner_for(request, signals);
    const std::unique_ptr<Observer> exit_code = exit_code_observer(request.gates);
    Supervision supervision;
    if (exit_code) {
        supervision.observers.push_back(exit_code.get());
    }
    const Descendants descendants;
    return end_as(supervise(spawner, supervision, signals, descendants), request);
}

}  // namespace syncspawn::tools::bwrap
