#pragma once

#include <unistd.h>

#include <string>
#include <utility>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/peer.hpp"

// For tests of ready-made steps.

namespace syncspawn::testing {

inline SyncedSpawner with_step(SpawnOptions options, Step step) {
    SyncedSpawner spawner(std::move(options));
    spawner.step(std::move(step));
    return spawner;
}

// What a program writes that is launched with this step; one that fails adds how it ended.
inline std::string output_with(SpawnOptions options, Step step) {
    options.streams.output = Stdio::pipe();
    Process process = with_step(std::move(options), std::move(step)).spawn();
    const std::string text = read_all(process.standard_output());
    const ExitStatus status = process.wait();
    return status.success() ? text : text + "[" + status.to_string() + "]";
}

inline std::string error_with(SpawnOptions options, Step step) {
    return failure_of(with_step(std::move(options), std::move(step))).what();
}

// What a function that throws says.
template <class Exception, class Function>
std::string thrown_by(Function function) {
    try {
        function();
    } catch (const Exception& exception) {
        return exception.what();
    }
    return "nothing";
}

// In a peer: an ordinary user from now on.
inline void become_unprivileged() noexcept {
    constexpr uid_t nobody = 65534;
    expect(geteuid() != 0 ||
           (setresgid(nobody, nobody, nobody) == 0 && setresuid(nobody, nobody, nobody) == 0));
}

}  // namespace syncspawn::testing
