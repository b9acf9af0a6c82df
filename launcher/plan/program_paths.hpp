#pragma once

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace syncspawn::detail {

// What execvp(3) uses where there is no PATH.
inline std::string default_path() {
    std::string path(confstr(_CS_PATH, nullptr, 0), '\0');
    confstr(_CS_PATH, path.data(), path.size());
    path.resize(path.size() - 1);
    return path;
}

// Where execvp(3) looks for the program, for execute_first_of(). `path` is the value of PATH, if it is set.
inline std::vector<std::string> program_paths(const std::string& program,
                                              const std::optional<std::string>& path) {
    if (program.find('/') != std::string::npos) {
        return {program};
    }
    const std::string directories = path ? *path : default_path();
    std::vector<std::string> paths;
    for (std::size_t begin = 0; begin <= directories.size();) {
        const std::size_t end = std::min(directories.find(':', begin), directories.size());
        // An empty entry is the current directory.
        const std::string directory = directories.substr(begin, end - begin);
        paths.push_back((directory.empty() ? "." : directory) + "/" + program);
        begin = end + 1;
    }
    return paths;
}

}  // namespace syncspawn::detail
