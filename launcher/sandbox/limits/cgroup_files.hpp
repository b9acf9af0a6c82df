#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The files in the directory of a cgroup. Directories are descriptors, or AT_FDCWD for a path from the root.

namespace syncspawn::sandbox {

// Nothing, and errno, if it cannot be read. Of a long one the first 64 KiB.
std::optional<std::string> read_cgroup_file(int directory, const std::string& name);

// The same without that limit, for files of /proc.
std::optional<std::string> read_whole_file(const std::string& path);

// The errno, or 0.
int write_cgroup_file(int directory, const std::string& name, std::string_view text) noexcept;

// "memory pids\n" as words.
std::vector<std::string> words_of(std::string_view text);
std::vector<std::string> words_in(int directory, const std::string& name);

// The number of a file with one.
std::optional<std::uint64_t> number_in(int directory, const std::string& name);
// The number behind a key, in a file with lines of a key and a number.
std::optional<std::uint64_t> number_in(int directory, const std::string& name,
                                       std::string_view key);

// The cgroups right below.
std::vector<std::string> cgroups_in(int directory);
std::vector<std::string> files_in(int directory);

}  // namespace syncspawn::sandbox
