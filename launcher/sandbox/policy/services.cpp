#include "services.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <map>
#include <system_error>

#include "bound_sockets.hpp"
#include "path_walk.hpp"

namespace syncspawn::sandbox {
namespace {

namespace fs = std::filesystem;

bool is_socket(const std::string& path, const std::optional<std::uint32_t>& number) {
    struct stat about {};
    return lstat(path.c_str(), &about) == 0 && S_ISSOCK(about.st_mode) &&
           (!number || static_cast<std::uint32_t>(about.st_ino) == *number);
}

// The names of a file in a directory: those with the number.
void add_names_in(std::vector<std::string>& paths, const fs::path& directory,
                  std::uint32_t number) {
    std::error_code error;
    for (fs::directory_iterator at(directory, error), end; !error && at != end;
         at.increment(error)) {
        if (is_socket(at->path(), number)) {
            paths.push_back(at->path());
        }
    }
}

// "socket:[NUMBER]"; 0: none.
std::uint32_t number_of(const std::string& link) {
    constexpr std::string_view begin = "socket:[";
    std::uint32_t number = 0;
    if (link.starts_with(begin)) {
        std::from_chars(link.data() + begin.size(), link.data() + link.size(), number);
    }
    return number;
}

// The working directories of those that hold sockets bound by a relative path.
class Holders {
public:
    explicit Holders(const std::vector<BoundSocket>& sockets) {
        for (const BoundSocket& socket : sockets) {
            if (!socket.name.starts_with('/')) {
                directories_[socket.number];
            }
        }
        std::error_code error;
        for (fs::directory_iterator at("/proc", error), end;
             !directories_.empty() && !error && at != end; at.increment(error)) {
            look_at(at->path());
        }
    }
    [[nodiscard]] const std::vector<fs::path>& directories_of(const BoundSocket& socket) const {
        return directories_.at(socket.number);
    }

private:
    void look_at(const fs::path& process) {
        std::error_code error;
        for (fs::directory_iterator at(process / "fd", error), end; !error && at != end;
             at.increment(error)) {
            std::error_code gone;
            const auto found = directories_.find(number_of(fs::read_symlink(at->path(), gone)));
            if (found == directories_.end()) {
                continue;
            }
            const fs::path directory = fs::read_symlink(process / "cwd", gone);
            if (!gone) {
                found->second.push_back(directory);
            }
        }
    }

    std::map<std::uint32_t, std::vector<fs::path>> directories_;
};

void add_paths_of(std::vector<std::string>& paths, const BoundSocket& socket,
                  const fs::path& name) {
    if (is_socket(name, socket.file)) {
        paths.push_back(name);
    } else if (socket.file) {
        add_names_in(paths, name.parent_path(), *socket.file);
    }
}

}  // namespace

std::vector<std::string> sockets_of_host() {
    const std::vector<BoundSocket> sockets = bound_sockets();
    const Holders holders(sockets);
    std::vector<std::string> paths;
    for (const BoundSocket& socket : sockets) {
        if (socket.name.starts_with('/')) {
            paths.push_back(socket.name);
            add_paths_of(paths, socket, socket.name);
            continue;
        }
        for (const fs::path& directory : holders.directories_of(socket)) {
            add_paths_of(paths, socket, directory / socket.name);
        }
    }
    std::sort(paths.begin(), paths.end());
    paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
    return paths;
}

std::string directory_of_services() {
    const Walk run = walk("/run");
    return run.error == 0 && !run.is_missing && run.kind == FileRule::Kind::directory ? run.path
                                                                                      : "";
}

}  // namespace syncspawn::sandbox
