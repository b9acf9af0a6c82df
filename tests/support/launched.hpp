#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/peer.hpp"

// What the tests of the launcher have in common. A program that links this ends by SIGALRM if it
// is still there after watchdog_of_program_seconds: a launch that hangs is a failure.

namespace syncspawn::testing {

inline constexpr unsigned watchdog_of_program_seconds = 2 * watchdog_seconds;

// "/bin/sh -c TEXT", for further options.
SpawnOptions shell(std::string text);

// Launches with a pipe as the standard output and returns all that comes out of it until the end of
// file; a program that fails adds how it ended.
std::string output_of(SpawnOptions options);

// The error of a launch that must fail; the process is killed if it does not.
SpawnError failure_of(const SyncedSpawner& spawner);
SpawnError failure_of(SpawnOptions options);

// All that can be read until the end of file.
std::string read_all(int fd);

// A directory that is removed with all that is in it.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    const std::string& path() const noexcept { return path_; }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    // Writes a file with these permissions and returns its path.
    std::string file(const std::string& name, const std::string& content, unsigned mode) const;

private:
    std::string path_;
};

// From now on these system calls of this process and of what it starts end with this errno. There is
// no way back, so it is for a peer.
void refuse_system_calls(std::initializer_list<long> numbers, int error);

// What the kernel calls the program.
std::string name_of(const Process& process);

// How many children this process has, zombies included.
std::size_t count_children();

}  // namespace syncspawn::testing
