#pragma once

#include <sys/syscall.h>
#include <sys/types.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

// What /proc says of processes and descriptors. "Still waiting" is observed here, never slept for.

namespace syncspawn::testing {

// 'S', 'R', 'T', 'Z', ... of /proc/PID/stat, 0 if there is no such process.
char state_of(pid_t pid);
// The number of the system call that the process is blocked in, -1 if it is not blocked in one.
long system_call_of(pid_t pid);
// How often it went to sleep so far.
long sleeps_of(pid_t pid);

// Waits until the process sleeps in this system call; false if it ended, or never did. The state of
// a process that nobody wakes does not change any more, so what this saw is no moment's chance.
bool sleeps_in_one_of(pid_t pid, std::initializer_list<long> system_calls);
inline bool sleeps_in(pid_t pid, long system_call) { return sleeps_in_one_of(pid, {system_call}); }
// A wait for the other side is one sleeping ppoll(2); in a launch it may be a futex(2).
inline bool is_blocked_in_a_wait(pid_t pid) {
    return sleeps_in_one_of(pid, {SYS_ppoll, SYS_futex});
}
// Waits until the process is in this state.
bool comes_to_state(pid_t pid, char state);

// Every open descriptor of this process but the one that reads the list.
std::vector<int> open_descriptors();
bool is_open(int fd);
bool is_close_on_exec(int fd);
// The count of an eventfd, without taking it.
std::uint64_t eventfd_count(int fd);
// In a peer: waits, without reading, until the descriptor is readable or hung up.
void await_event(int fd) noexcept;

std::string read_file(const std::string& path);
// What follows "KEY:" in a file of lines, without the blanks.
std::string value_in(const std::string& path, const std::string& key);

}  // namespace syncspawn::testing
