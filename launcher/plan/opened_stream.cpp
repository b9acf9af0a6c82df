#include "opened_stream.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "barrier/linux/owned_descriptor.hpp"

namespace syncspawn::detail {
namespace {

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

UniqueFd open_text(const std::string& text) {
    UniqueFd file = owned(memfd_create("standard input", MFD_CLOEXEC), "memfd_create");
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t written = write(file.get(), text.data() + done, text.size() - done);
        if (written < 0 && errno != EINTR) {
            fail("write the text of the standard input");
        }
        done += written > 0 ? static_cast<std::size_t>(written) : 0;
    }
    if (lseek(file.get(), 0, SEEK_SET) < 0) {
        fail("lseek");
    }
    return file;
}

}  // namespace

Pipe open_pipe(const char* what) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        fail(what);
    }
    UniqueFd write(ends[1]);  // while the other is looked at
    UniqueFd read = owned(ends[0], what);
    return {std::move(read), owned(write.release(), what)};
}

OpenedStream open_stream(const Stdio& stream, int number) {
    switch (stream.kind()) {
        case Stdio::Kind::null:
            return {.childs = owned(open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null")};
        case Stdio::Kind::pipe: {
            Pipe pipe = open_pipe("pipe for a standard stream");
            return number == STDIN_FILENO
                       ? OpenedStream{std::move(pipe.read), std::move(pipe.write)}
                       : OpenedStream{std::move(pipe.write), std::move(pipe.read)};
        }
        case Stdio::Kind::text:
            return {.childs = open_text(stream.text_or_path())};
        default:
            return {};
    }
}

}  // namespace syncspawn::detail
