#include "services.hpp"

#include <algorithm>
#include <fstream>

#include "path_walk.hpp"

namespace syncspawn::sandbox {

std::vector<std::string> sockets_of_host() {
    std::vector<std::string> paths;
    std::ifstream file("/proc/net/unix");
    for (std::string line; std::getline(file, line);) {
        // Seven columns without a blank or '/' in them; the names of abstract sockets begin with '@'.
        const std::size_t path = line.find_first_of("/@");
        if (path != std::string::npos && line[path] == '/') {
            paths.push_back(line.substr(path));
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
