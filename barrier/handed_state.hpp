#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string_view>

#include <syncspawn/barrier.h>

// What stands in the four variables: their names, and the fields of the state.
// Async-signal-safe.

namespace syncspawn::core {

inline constexpr const char* local_name = "SYNCSPAWN_BARRIER_LOCAL_FD";
inline constexpr const char* remote_name = "SYNCSPAWN_BARRIER_REMOTE_FD";
inline constexpr const char* pipe_name = "SYNCSPAWN_BARRIER_PIPE_FD";
inline constexpr const char* state_name = "SYNCSPAWN_BARRIER_STATE";
inline constexpr const char* names[]{local_name, remote_name, pipe_name, state_name};
inline constexpr std::size_t name_count = std::size(names);

inline constexpr std::int64_t version = 1;
inline constexpr int lowest_exported_fd = 10;
inline constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t largest_int = std::numeric_limits<int>::max();

// The fields of SYNCSPAWN_BARRIER_STATE, in their order.
struct State {
    std::int64_t version, role, pid, pid_namespace, balance, seen, abort, local_id, remote_id,
        pipe_inode;
};

struct Field {
    const char* what;
    std::int64_t State::*member;
    std::int64_t lowest;
    std::int64_t highest;
};

inline constexpr Field fields[]{
    {"the version", &State::version, 0, largest},
    {"the role", &State::role, SYNCSPAWN_PARENT, SYNCSPAWN_CHILD},
    {"the pid", &State::pid, 1, largest_int},
    {"the pid namespace", &State::pid_namespace, 0, largest},
    {"the balance", &State::balance, std::numeric_limits<std::int64_t>::min(), largest},
    {"the number of places seen", &State::seen, 0, largest},
    {"the abort state", &State::abort, 0, SYNCSPAWN_ABORTED_HERE | SYNCSPAWN_PEER_GONE},
    {"the id of the local eventfd", &State::local_id, 0, largest},
    {"the id of the remote eventfd", &State::remote_id, 0, largest},
    {"the inode of the pipe", &State::pipe_inode, 0, largest},
};

}  // namespace syncspawn::core
