#include "opened_stream.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "barrier/linux/owned_descriptor.hpp"

namespace syncspawn::detail {
namespace {

constexpr std::array names{"standard input", "standard output", "standard error"};

[[noreturn]] void fail(const std::string& what, const std::string& hint = {}) {
    throw ErrorWithHint(errno, what, hint);
}

OpenedStream open_pipe_of(const Stdio& stream, int number) {
    Pipe pipe = open_pipe("pipe for a standard stream");
    const int bytes = stream.pipe_bytes();
    if (bytes > 0 && fcntl(pipe.write.get(), F_SETPIPE_SZ, bytes) < 0) {
        fail("pipe of " + std::to_string(bytes) + " bytes for the " +
                 names.at(static_cast<std::size_t>(number)),
             errno == EPERM ? "an ordinary user gets at most fs.pipe-max-size, and for all pipes "
                              "together fs.pipe-user-pages-soft"
                            : "");
    }
    return number == STDIN_FILENO ? OpenedStream{std::move(pipe.read), std::move(pipe.write)}
                                  : OpenedStream{std::move(pipe.write), std::move(pipe.read)};
}

// Since Linux 6.3 a file in memory says whether it may be executed, and vm.memfd_noexec may insist on that.
int open_memory(const char* name) noexcept {
    constexpr unsigned noexec_seal = 8;  // MFD_NOEXEC_SEAL
    const int file = memfd_create(name, MFD_CLOEXEC | noexec_seal);
    return file < 0 && errno == EINVAL ? memfd_create(name, MFD_CLOEXEC) : file;
}

// For a kernel or a filter without memfd_create.
int open_nameless_file() noexcept {
    const char* const directory = secure_getenv("TMPDIR");
    std::string path = std::string(directory != nullptr ? directory : "/tmp") + "/syncspawn-XXXXXX";
    const int file = mkostemp(path.data(), O_CLOEXEC);
    if (file >= 0) {
        unlink(path.c_str());
    }
    return file;
}

void write_all(int file, std::string_view text) {
    rlimit limit{};
    // To write beyond it would end this process by SIGXFSZ.
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < text.size()) {
        errno = EFBIG;
        fail("text for the standard input", "RLIMIT_FSIZE of this process is less");
    }
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t written = write(file, text.data() + done, text.size() - done);
        if (written < 0 && errno != EINTR) {
            fail("text for the standard input");
        }
        done += written > 0 ? static_cast<std::size_t>(written) : 0;
    }
}

UniqueFd open_text(std::string_view text) {
    const int memory = open_memory("standard input");
    UniqueFd file = owned(memory >= 0 ? memory : open_nameless_file(),
                          "memfd_create, or a file in /tmp, for the standard input");
    write_all(file.get(), text);
    if (lseek(file.get(), 0, SEEK_SET) < 0) {
        fail("lseek");
    }
    return file;
}

int flags_of(Stdio::Kind kind) noexcept {
    switch (kind) {
        case Stdio::Kind::read_from:
            return O_RDONLY;
        case Stdio::Kind::write_to:
            return O_WRONLY | O_CREAT | O_TRUNC;
        case Stdio::Kind::append_to:
            return O_WRONLY | O_CREAT | O_APPEND;
        case Stdio::Kind::create:
            return O_WRONLY | O_CREAT | O_EXCL;
        default:
            return O_RDWR;
    }
}

const char* hint_for_opening(Stdio::Kind kind, int error) noexcept {
    switch (error) {
        case ENXIO:
            return kind == Stdio::Kind::terminal
                       ? "this process has no terminal of its own: setsid(2), or a service"
                       : "it is a FIFO that nobody has open at its other end, a socket, or a "
                         "device that is not there";
        case EAGAIN:
            return "another process has a lease on it: fcntl(2), F_SETLEASE";
        case ETXTBSY:
            return "it is being executed";
        default:
            return "";
    }
}

// Whoever reads a FIFO without a writer reads its end at once. tee(2) looks without taking anything: 0 where
// there is no writer, EAGAIN where there is one that has written nothing.
bool has_writer(int fifo) {
    const Pipe copy = open_pipe("pipe to look at a FIFO");
    return tee(fifo, copy.write.get(), 1, SPLICE_F_NONBLOCK) != 0;
}

// O_NONBLOCK: open(2) waits for nobody, neither at a FIFO nor for the carrier of a line.
UniqueFd open_file(const std::string& path, const Stdio& stream, int number) {
    const Stdio::Kind kind = stream.kind();
    const std::string what =
        "open '" + path + "' for the " + names.at(static_cast<std::size_t>(number));
    const int flags = flags_of(kind) | O_CLOEXEC | O_NOCTTY;
    UniqueFd file(above_standard_streams(
        open(path.c_str(), flags | O_NONBLOCK, stream.permissions() & 07777)));
    struct stat about {};
    if (!file || fstat(file.get(), &about) < 0) {
        fail(what, hint_for_opening(kind, errno));
    }
    if (S_ISDIR(about.st_mode)) {
        errno = EISDIR;
        fail(what);
    }
    if (S_ISFIFO(about.st_mode) && kind == Stdio::Kind::read_from && !has_writer(file.get())) {
        errno = ENXIO;
        fail(what, hint_for_opening(kind, ENXIO));
    }
    // The program is to wait as usual.
    const int status = fcntl(file.get(), F_GETFL);
    if (status < 0 || fcntl(file.get(), F_SETFL, status & ~O_NONBLOCK) < 0) {
        fail(what);
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
        case Stdio::Kind::inherit:
        case Stdio::Kind::descriptor:
        case Stdio::Kind::same_as_output:
        case Stdio::Kind::same_as_error:
            return {};
        case Stdio::Kind::null:
            return {.childs = owned(open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null")};
        case Stdio::Kind::pipe:
            return open_pipe_of(stream, number);
        case Stdio::Kind::text:
            return {.childs = open_text(stream.text_or_path())};
        case Stdio::Kind::terminal:
            return {.childs = open_file("/dev/tty", stream, number)};
        default:
            return {.childs = open_file(std::string(stream.text_or_path()), stream, number)};
    }
}

}  // namespace syncspawn::detail
