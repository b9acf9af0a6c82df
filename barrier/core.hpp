#pragma once

#include <ctime>

#include <syncspawn/barrier/barrier.hpp>

// The one implementation under Barrier and its C twin: free functions on the plain struct. Async-signal-safe,
// except create. No deadline is a null pointer; a try is an operation with the deadline `at_once`.

namespace syncspawn::core {

using Side = syncspawn_barrier;

inline constexpr timespec at_once{0, 0};

// side.cpp: descriptors and life

int create(Side& side) noexcept;  // 0 or errno
Outcome set_role(Side& side, int role) noexcept;
Outcome watch_peer(Side& side, int pidfd) noexcept;
Outcome distrust_peer(Side& side) noexcept;
void destroy(Side& side) noexcept;

// operations.cpp
Outcome place(Side& side, const timespec* deadline) noexcept;
Outcome abort(Side& side) noexcept;
Outcome wait_next(Side& side, const timespec* deadline) noexcept;
Outcome wait_for_place(Side& side, int64_t n, const timespec* deadline) noexcept;
Outcome sync_next(Side& side, const timespec* deadline) noexcept;
Outcome sync(Side& side, const timespec* deadline) noexcept;
Outcome place_and_sync(Side& side, const timespec* deadline) noexcept;
Outcome wait_abortion(Side& side, const timespec* deadline) noexcept;
Outcome poll_now(Side& side) noexcept;
Outcome put_back(Side& side) noexcept;

// look.cpp: what a loop has to poll until the next try
enum class Wanted { count, count_or_room };
void list_events(const Side& side, Wanted wanted, syncspawn_barrier_events& events) noexcept;

// Ends an operation `failed` without touching the state: the caller's mistake.
Outcome misuse(Side& side) noexcept;
// Latches the first I/O failure and closes the pipe, so that the peer learns of it.
Outcome fail(Side& side, int error) noexcept;
// The pipe end of this side: -1 once it was closed.
int& own_pipe_end(Side& side) noexcept;
void close_and_forget(int& fd) noexcept;

}  // namespace syncspawn::core
