#include "exec_diagnosis.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "raw_calls.hpp"

namespace syncspawn::detail {
namespace {

constexpr unsigned longest_interpreter = 256;

// The interpreter that a script's first line or an ELF header asks for; empty if none.
struct Interpreter {
    char path[longest_interpreter] = {};
    bool is_of_script = false;

    explicit Interpreter(int fd) noexcept {
        char head[256] = {};
        const ssize_t size = pread(fd, head, sizeof head - 1, 0);
        if (size > 2 && head[0] == '#' && head[1] == '!') {
            is_of_script = true;
            const char* from = head + 2 + std::strspn(head + 2, " \t");
            take(from, std::strcspn(from, " \t\n"));
        } else if (size >= static_cast<ssize_t>(sizeof(Elf64_Ehdr)) &&
                   std::memcmp(head, ELFMAG, SELFMAG) == 0 && head[EI_CLASS] == ELFCLASS64) {
            Elf64_Ehdr header;
            std::memcpy(&header, head, sizeof header);
            read_elf(fd, header);
        }
    }

private:
    void take(const char* from, std::size_t size) noexcept {
        size = size < sizeof path ? size : sizeof path - 1;
        std::memcpy(path, from, size);
        path[size] = '\0';
    }

    void read_elf(int fd, const Elf64_Ehdr& header) noexcept {
        for (unsigned index = 0; index < header.e_phnum; ++index) {
            Elf64_Phdr segment;
            const auto at = static_cast<off_t>(header.e_phoff + index * sizeof segment);
            if (pread(fd, &segment, sizeof segment, at) != sizeof segment) {
                return;
            }
            char name[longest_interpreter] = {};
            if (segment.p_type == PT_INTERP &&
                pread(fd, name, sizeof name - 1, static_cast<off_t>(segment.p_offset)) > 0) {
                take(name, std::strlen(name));
                return;
            }
        }
    }
};

}  // namespace

ExecDiagnosis::ExecDiagnosis(const char* path, int error) noexcept {
    switch (error) {
        case ENOENT:
            explain_missing(path);
            break;
        case EACCES:
            explain_refusal(path);
            break;
        case ENOEXEC:
            add("neither a known binary format nor a script that begins with '#!'");
            break;
        case E2BIG:
            add("arguments and environment are too large together, or one of them alone");
            break;
        case ETXTBSY:
            add("somebody has the file open for writing");
            break;
        default:
            break;
    }
}

void ExecDiagnosis::add(const char* text) noexcept {
    for (; *text != '\0' && size_ < sizeof text_ - 1; ++text) {
        text_[size_++] = *text;
    }
    text_[size_] = '\0';
}

void ExecDiagnosis::explain_missing(const char* path) noexcept {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno == EACCES) {  // it may be executed, but not read
            add("the file exists; its interpreter or loader does not");
        }
        return;
    }
    const Interpreter interpreter(fd);
    close(fd);
    if (interpreter.path[0] == '\0') {
        add("the file exists; its interpreter or loader does not");
        return;
    }
    add("its interpreter '");
    add(interpreter.path);
    if (access(interpreter.path, F_OK) == 0) {
        add("' lacks an interpreter in turn");
        return;
    }
    add(interpreter.is_of_script ? "', named in its first line, does not exist"
                                 : "', named in its ELF header, does not exist");
}

void ExecDiagnosis::explain_refusal(const char* path) noexcept {
    struct stat about {};
    if (stat(path, &about) < 0) {
        add("a directory of the path may not be searched");
    } else if (S_ISDIR(about.st_mode)) {
        add("it is a directory");
    } else if (!S_ISREG(about.st_mode)) {
        add("it is not a regular file");
    } else if (raw::is_mounted_noexec(path)) {
        add("it is on a file system mounted noexec");
    } else if (!raw::may_execute(path)) {
        add("it has no execute permission for this user");
    } else {
        add("its interpreter may not be executed, or a security module refuses");
    }
}

}  // namespace syncspawn::detail
