#include <syncspawn/sandbox/absent_paths.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "checks.hpp"
#include "placeholders.hpp"

namespace syncspawn::sandbox {
namespace {

void require_name(const std::string& path) {
    const std::string name = path.substr(path.rfind('/') + 1);
    if (!path.starts_with('/') || name == "." || name == ".." || normalized(path) == "/") {
        throw std::invalid_argument("absent path '" + path + "': it must be absolute, with a name");
    }
}

std::error_code remove(ParentSide& side) {
    side.state<Placeholders>().remove();
    return side.done();
}

}  // namespace

Step keep_absent(std::vector<std::string> paths) {
    std::for_each(paths.begin(), paths.end(), require_name);
    std::transform(paths.begin(), paths.end(), paths.begin(), normalized);
    (void)Placeholders::open_registry();  // if it cannot be had, that is said now
    return {
        .name = "absent paths",
        .before_start =
            [paths = std::move(paths)](ParentSide& side) {
                Placeholders::remove_abandoned();
                side.state<Placeholders>().place(paths);
            },
        .parent = [](ParentSide& side) { side.state<Placeholders>().watch(side.child_pidfd()); },
        .after_end = remove,
        .undo = remove};
}

}  // namespace syncspawn::sandbox
