#include "stand_ins.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace syncspawn::tools {
namespace {

constexpr const char* directory = "/directory";
constexpr const char* file = "/file";

bool is_a_file(const std::string& path) {
    struct stat about {};
    return stat(path.c_str(), &about) == 0 && !S_ISDIR(about.st_mode);
}

}  // namespace

StandIns::StandIns(const sandbox::Policy& policy) {
    for (const sandbox::NamedDescriptor& one : policy.descriptors) {
        bind(one.name, "/dev/null", O_RDWR);
    }
    if (policy.trees.empty()) {
        return;
    }
    make_empty_ones();
    for (const sandbox::NamedTree& one : policy.trees) {
        bind(one.name, place_ + (is_a_file(one.path) ? file : directory), O_PATH);
    }
}

StandIns::~StandIns() {
    if (!place_.empty()) {
        unlink((place_ + file).c_str());
        rmdir((place_ + directory).c_str());
        rmdir(place_.c_str());
    }
}

void StandIns::bind(const std::string& name, const std::string& path, int flags) {
    UniqueFd opened(open(path.c_str(), flags | O_CLOEXEC));
    if (opened) {
        bindings_.descriptors[name] = opened.get();
        opened_.push_back(std::move(opened));
    }
}

void StandIns::make_empty_ones() {
    const char* const temporary = std::getenv("TMPDIR");
    std::string place = temporary != nullptr && *temporary == '/' ? temporary : "/tmp";
    place += "/syncspawn-doctor-XXXXXX";
    if (mkdtemp(place.data()) == nullptr) {
        throw std::system_error(errno, std::system_category(), "mkdtemp '" + place + "'");
    }
    place_ = place;
    mkdir((place_ + directory).c_str(), 0700);
    const UniqueFd made(
        open((place_ + file).c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
}

}  // namespace syncspawn::tools
