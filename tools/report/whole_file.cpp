#include "whole_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <system_error>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::tools {
namespace {

[[noreturn]] void fail(const std::string& call, const std::string& path) {
    throw std::system_error(errno, std::generic_category(), call + " '" + path + "'");
}

void write_all(int fd, const std::string& text, const std::string& path) {
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t written = write(fd, text.data() + done, text.size() - done);
        if (written < 0 && errno != EINTR) {
            fail("write", path);
        }
        done += written < 0 ? 0 : static_cast<std::size_t>(written);
    }
}

mode_t permissions() {
    const mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

// Where a symbolic link leads, so that it stays one.
std::string real_path(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr),
                                                           &std::free);
    return real != nullptr ? std::string(real.get()) : path;
}

void replace(const std::string& path, const std::string& text) {
    std::string name = path + ".XXXXXX";
    const UniqueFd file(mkostemp(name.data(), O_CLOEXEC));
    if (!file) {
        fail("create", name);
    }
    try {
        write_all(file.get(), text, name);
        if (fchmod(file.get(), permissions()) < 0) {
            fail("chmod", name);
        }
        if (rename(name.c_str(), path.c_str()) < 0) {
            fail("rename", name);
        }
    } catch (const std::system_error&) {
        unlink(name.c_str());
        throw;
    }
}

}  // namespace

void write_whole_file(const std::string& path, const std::string& text) {
    struct stat about {};
    if (stat(path.c_str(), &about) < 0 || S_ISREG(about.st_mode)) {
        replace(real_path(path), text);
        return;
    }
    const UniqueFd device(open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!device) {
        fail("open", path);
    }
    write_all(device.get(), text, path);
}

}  // namespace syncspawn::tools
