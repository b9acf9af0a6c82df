#include "private_directory.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace syncspawn::sandbox {

PrivateDirectory::PrivateDirectory(const Ids& owner) {
    std::string made = "/tmp/syncspawn-XXXXXX";
    if (mkdtemp(made.data()) == nullptr) {
        throw std::system_error(errno, std::system_category(), "mkdtemp '" + made + "'");
    }
    path_ = made;
    if (owner.host_user != geteuid() &&
        chown(path_.c_str(), owner.host_user, owner.host_group) < 0) {
        const int error = errno;
        rmdir(path_.c_str());
        throw std::system_error(error, std::system_category(), "chown '" + made + "'");
    }
}

PrivateDirectory::~PrivateDirectory() {
    std::error_code ignored;  // what a program has made unremovable stays
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace syncspawn::sandbox
