#pragma once

#include <sys/eventfd.h>

#include <array>
#include <string>

#include <syncspawn/launcher.hpp>

#include "support/observe.hpp"

// What is true of both ways to launch is tried with both.

namespace syncspawn::testing {

inline Process by_spawn(const SyncedSpawner& spawner, SpawnError& error) {
    return spawner.spawn(error);
}

inline Process by_event_loop(const SyncedSpawner& spawner, SpawnError& error) {
    Launch launch = spawner.launch();
    while (!launch.advance()) {
        await_event(launch.descriptor());
    }
    return launch.take_process(error);
}

using Way = Process (*)(const SyncedSpawner&, SpawnError&);
inline constexpr std::array<Way, 2> both_ways{by_spawn, by_event_loop};

inline std::string text_after(Way way, const SyncedSpawner& spawner) {
    SpawnError error;
    const Process process = way(spawner, error);
    return error.what();
}

// Something that a part of the parent can wait for.
class Event {
public:
    void signal() const noexcept { eventfd_write(fd_.get(), 1); }
    // Takes what was signalled.
    bool is_signalled() const noexcept {
        eventfd_t count = 0;
        return eventfd_read(fd_.get(), &count) == 0;
    }
    int fd() const noexcept { return fd_.get(); }

private:
    UniqueFd fd_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

}  // namespace syncspawn::testing
