#include "private_directory.hpp"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace syncspawn::sandbox {

namespace {

// Of the directory that is there now; empty if there is none.
std::string record_of(const std::string& path) {
    struct stat about {};
    const bool is_there = lstat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode);
    return is_there ? std::to_string(about.st_dev) + "-" + std::to_string(about.st_ino) : "";
}

void remove_whole(const std::string& path) {
    std::error_code ignored;  // what a program has made unremovable stays
    std::filesystem::remove_all(path, ignored);
}

}  // namespace

PrivateDirectory::PrivateDirectory(const Ids& owner) {
    std::string made = "/tmp/syncspawn-XXXXXX";
    if (mkdtemp(made.data()) == nullptr) {
        throw std::system_error(errno, std::system_category(), "mkdtemp '" + made + "'");
    }
    path_ = made;
    maker_ = getpid();
    if (owner.host_user != geteuid() &&
        chown(path_.c_str(), owner.host_user, owner.host_group) < 0) {
        const int error = errno;
        rmdir(path_.c_str());
        throw std::system_error(error, std::system_category(), "chown '" + made + "'");
    }
    enter_in_registry();
}

PrivateDirectory::~PrivateDirectory() {
    if (maker_ != getpid()) {
        return;
    }
    remove_whole(path_);
    if (!record_.empty() && registry_.let_go(record_)) {
        registry_.forget(record_);
    }
}

// Without one, nobody finds what a killed process has left; the directory is none the worse.
void PrivateDirectory::enter_in_registry() {
    try {
        registry_ = Registry::open("private");
        remove_abandoned(registry_);
        registry_.hold(record_of(path_), path_);
        record_ = record_of(path_);
    } catch (const std::system_error&) {
        record_.clear();
    }
}

void PrivateDirectory::remove_abandoned(const Registry& registry) {
    for (const std::string& record : registry.records()) {
        if (registry.let_go(record)) {
            const std::string path = registry.text_of(record);
            if (record_of(path) == record) {
                remove_whole(path);
            }
            registry.forget(record);
        }
    }
}

}  // namespace syncspawn::sandbox
