#include "exec_diagnosis.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include <cerrno>
#include <cstring>

#include "raw_calls.hpp"

namespace syncspawn::detail {
namespace {

constexpr unsigned longest_interpreter = 256;
constexpr std::size_t kernel_reads = 256;  // BINPRM_BUF_SIZE; 128 before Linux 5.1

struct Machine {
    unsigned number;  // e_machine
    const char* name;
};

constexpr std::array machines{
    Machine{EM_386, "32-bit x86"},  Machine{EM_X86_64, "x86-64"}, Machine{EM_ARM, "32-bit ARM"},
    Machine{EM_AARCH64, "AArch64"}, Machine{EM_RISCV, "RISC-V"},  Machine{EM_PPC, "32-bit PowerPC"},
    Machine{EM_PPC64, "PowerPC"},   Machine{EM_S390, "s390"},     Machine{EM_MIPS, "MIPS"},
    Machine{EM_SPARCV9, "SPARC"},   Machine{258, "LoongArch"}};

// Of the processor that this is compiled for; 0: none of the above.
constexpr unsigned own_machine =
#if defined(__x86_64__)
    EM_X86_64;
#elif defined(__aarch64__)
    EM_AARCH64;
#elif defined(__i386__)
    EM_386;
#elif defined(__arm__)
    EM_ARM;
#elif defined(__riscv)
    EM_RISCV;
#else
    0;
#endif

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
            explain_format(path);
            break;
        case E2BIG:
            text_ << "arguments and environment are too large together, or one of them alone";
            break;
        case ETXTBSY:
            text_ << "somebody has the file open for writing";
            break;
        case EAGAIN:
            text_ << "this user has more processes than RLIMIT_NPROC allows";
            break;
        case EPERM:
            explain_lack_of_permission(path);
            break;
        default:
            break;
    }
}

void ExecDiagnosis::explain_missing(const char* path) noexcept {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno == EACCES) {  // it may be executed, but not read
            text_ << "the file exists; its interpreter or loader does not";
        }
        return;
    }
    const Interpreter interpreter(fd);
    close(fd);
    if (interpreter.path[0] == '\0') {
        text_ << "the file exists; its interpreter or loader does not";
        return;
    }
    text_ << "its interpreter '" << interpreter.path;
    if (access(interpreter.path, F_OK) == 0) {
        text_ << "' lacks an interpreter in turn";
        return;
    }
    text_ << (interpreter.is_of_script ? "', named in its first line, does not exist"
                                       : "', named in its ELF header, does not exist");
}

void ExecDiagnosis::explain_refusal(const char* path) noexcept {
    struct stat about {};
    if (stat(path, &about) < 0) {
        if (errno == EACCES) {  // else a filter refuses the look itself
            text_ << "a directory of the path may not be searched";
        }
    } else if (S_ISDIR(about.st_mode)) {
        text_ << "it is a directory";
    } else if (!S_ISREG(about.st_mode)) {
        text_ << "it is not a regular file";
    } else if (raw::is_mounted_noexec(path)) {
        text_ << "it is on a file system mounted noexec";
    } else if (!raw::may_execute(path)) {
        text_ << "it has no execute permission for this user";
    } else {
        text_ << "its interpreter may not be executed, or a security module refuses";
    }
}

void ExecDiagnosis::explain_format(const char* path) noexcept {
    char head[kernel_reads];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t size = fd < 0 ? -1 : pread(fd, head, sizeof head, 0);
    if (fd >= 0) {
        close(fd);
    }
    if (size == 0) {
        text_ << "the file is empty";
    } else if (size >= 2 && head[0] == '#' && head[1] == '!') {
        explain_script(head + 2, head + size);
    } else if (size > EI_NIDENT + 4 && std::memcmp(head, ELFMAG, SELFMAG) == 0) {
        explain_elf(reinterpret_cast<const unsigned char*>(head));
    } else {
        text_ << "neither a known binary format nor a script that begins with '#!'";
    }
}

void ExecDiagnosis::explain_script(const char* line, const char* end) noexcept {
    const auto is_blank = [](char character) { return character == ' ' || character == '\t'; };
    const auto ends_name = [&](char character) {
        return is_blank(character) || character == '\n' || character == '\0';
    };
    const char* const name = std::find_if_not(line, end, is_blank);
    if (name == end || *name == '\n' || *name == '\0') {
        text_ << "its first line names no interpreter after '#!'";
    } else if (end - line == kernel_reads - 2 && std::none_of(name, end, ends_name)) {
        text_ << "its first line is too long: the kernel reads 256 bytes for the interpreter";
    } else {
        text_ << "the interpreter named in its first line is in no known binary format";
    }
}

// The kernel asks for its own machine first of all.
void ExecDiagnosis::explain_elf(const unsigned char* header) noexcept {
    const bool is_big_endian = header[EI_DATA] == ELFDATA2MSB;
    const unsigned first = header[EI_NIDENT + 2];
    const unsigned second = header[EI_NIDENT + 3];
    const unsigned machine = is_big_endian ? first << 8 | second : second << 8 | first;
    if (machine == own_machine || own_machine == 0) {
        text_ << "an ELF file that is damaged, no program, or of a kind that this kernel does not "
                 "run";
        return;
    }
    const auto* known = std::find_if(machines.begin(), machines.end(),
                                     [&](const Machine& one) { return one.number == machine; });
    text_ << "a program for another processor";
    if (known != machines.end()) {
        text_ << ": " << known->name;
    }
}

// execve(2), EPERM.
void ExecDiagnosis::explain_lack_of_permission(const char* path) noexcept {
    text_ << (getxattr(path, "security.capability", nullptr, 0) > 0
                  ? "it has file capabilities that this process may not gain: its bounding set "
                    "lacks them"
                  : "a seccomp filter or a security module refuses, or a tracer of a set-user-ID "
                    "program");
}

}  // namespace syncspawn::detail
