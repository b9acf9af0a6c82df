#include "reaper_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>

#include <syncspawn/barrier/unique_fd.hpp>

#include "barrier/linux/clone_with_stack.hpp"
#include "barrier/linux/fresh_descriptor.hpp"

// The bytes: the build puts the program's file here.
asm(".pushsection .rodata.syncspawn_reaper, \"a\", %progbits\n"
    ".hidden syncspawn_reaper_begin\n"
    ".hidden syncspawn_reaper_end\n"
    ".globl syncspawn_reaper_begin\n"
    ".globl syncspawn_reaper_end\n"
    "syncspawn_reaper_begin:\n"
    ".incbin \"" SYNCSPAWN_REAPER_PROGRAM
    "\"\n"
    "syncspawn_reaper_end:\n"
    ".popsection");

extern "C" {
// NOLINTBEGIN(modernize-avoid-c-arrays): symbols of the assembler
[[gnu::visibility("hidden")]] extern const char syncspawn_reaper_begin[];
[[gnu::visibility("hidden")]] extern const char syncspawn_reaper_end[];
// NOLINTEND(modernize-avoid-c-arrays)
}

namespace syncspawn::detail {
namespace {

struct MadeFile {
    int fd;
    dev_t device;
    ino_t inode;
};

// Plain data that is there before the first fork. What it points to is never freed: another thread may look at it.
constinit std::atomic<const MadeFile*> made{nullptr};

enum class Found { it, another, unknown };

// The application may have closed it, as daemons close all they have, and the number may be another file's.
Found find(const MadeFile& file) noexcept {
    struct stat about {};
    if (fstat(file.fd, &about) < 0) {
        return errno == EBADF ? Found::another : Found::unknown;
    }
    return about.st_dev == file.device && about.st_ino == file.inode ? Found::it : Found::another;
}

UniqueFd new_memory() noexcept {
    constexpr unsigned to_execute = 0x10;  // MFD_EXEC, Linux 6.3
    constexpr const char* name = "syncspawn-reaper";
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | to_execute);
    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }
    const UniqueFd first(fd);
    return UniqueFd(fd < 0 ? -1 : duplicate_from(fd, 10));
}

bool fill_and_seal(int fd) noexcept {
    const char* from = syncspawn_reaper_begin;
    while (from != syncspawn_reaper_end) {
        const ssize_t written =
            write(fd, from, static_cast<std::size_t>(syncspawn_reaper_end - from));
        if (written < 0 && errno != EINTR) {
            return false;
        }
        from += written > 0 ? written : 0;
    }
    // What may be executed but not read is not dumpable from its first moment on: nobody in the sandbox may trace it.
    constexpr mode_t to_be_executed = 0111;
    return fchmod(fd, to_be_executed) == 0 &&
           fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
}

// Null and errno.
std::unique_ptr<const MadeFile> make() noexcept {
    UniqueFd fd = new_memory();
    struct stat about {};
    if (!fd || !fill_and_seal(fd.get()) || fstat(fd.get(), &about) < 0) {
        return nullptr;
    }
    std::unique_ptr<const MadeFile> file(new (std::nothrow)
                                             MadeFile{fd.get(), about.st_dev, about.st_ino});
    if (file != nullptr) {
        static_cast<void>(fd.release());
    } else {
        errno = ENOMEM;
    }
    return file;
}

}  // namespace

int reaper_file() noexcept {
#ifndef SYNCSPAWN_CAN_SHARE_MEMORY
    errno = ENOSYS;
    return -1;
#endif
    const MadeFile* known = made.load(std::memory_order_acquire);
    const Found found = known != nullptr ? find(*known) : Found::another;
    if (found != Found::another) {  // a second one would leave the first one open for ever
        return found == Found::it ? known->fd : -1;
    }
    std::unique_ptr<const MadeFile> own = make();
    if (own == nullptr) {
        return -1;
    }
    if (made.compare_exchange_strong(known, own.get(), std::memory_order_acq_rel)) {
        return own.release()->fd;
    }
    close(own->fd);  // another thread was faster
    return known->fd;
}

}  // namespace syncspawn::detail
