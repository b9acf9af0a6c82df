#pragma once

#include <string>

#include <syncspawn/sandbox/mounts.hpp>

namespace syncspawn::sandbox {

// "bind '/src' on '/mnt/src'": what errors call it. Long paths lose their beginning, for a launch's error is short.
std::string label_of(const FileOperation& operation);
// Throws std::invalid_argument for what makes no sense, whatever the machine.
void check(const FileOperation& operation);
// Without needless '/' and ".". The path is absolute, and has no "..".
std::string normalized(const std::string& path);

}  // namespace syncspawn::sandbox
