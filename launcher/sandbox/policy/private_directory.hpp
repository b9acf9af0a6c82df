#pragma once

#include <string>

#include "decision.hpp"

namespace syncspawn::sandbox {

// A directory of the program's, on the host, where no mount can give it one. Gone with this object, with all that
// is in it.
class PrivateDirectory {
public:
    // Throws std::system_error.
    explicit PrivateDirectory(const Ids& owner);
    PrivateDirectory(const PrivateDirectory&) = delete;
    PrivateDirectory& operator=(const PrivateDirectory&) = delete;
    ~PrivateDirectory();

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    std::string path_;
};

}  // namespace syncspawn::sandbox
