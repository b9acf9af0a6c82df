#pragma once

#include <sys/types.h>

#include <string>

#include "decision.hpp"
#include "launcher/sandbox/files/registry.hpp"

namespace syncspawn::sandbox {

// A directory of the program's, on the host, where no mount can give it one. Gone with this object, with all that
// is in it; or when the next one is made, if this process is killed before.
class PrivateDirectory {
public:
    // Throws std::system_error.
    explicit PrivateDirectory(const Ids& owner);
    PrivateDirectory(const PrivateDirectory&) = delete;
    PrivateDirectory& operator=(const PrivateDirectory&) = delete;
    ~PrivateDirectory();

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    void enter_in_registry();
    static void remove_abandoned(const Registry& registry);

    std::string path_;
    Registry registry_{};
    std::string record_{};
    pid_t maker_ = 0;  // not its copy by fork(2)
};

}  // namespace syncspawn::sandbox
