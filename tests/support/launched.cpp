#include "support/launched.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "support/observe.hpp"

namespace syncspawn::testing {
namespace {

[[maybe_unused]] const unsigned watchdog = alarm(watchdog_of_program_seconds);

}  // namespace

SpawnOptions shell(std::string text) {
    return {.program = "/bin/sh", .arguments = {"-c", std::move(text)}};
}

std::string output_of(SpawnOptions options) {
    options.streams.output = Stdio::pipe();
    Process process = SyncedSpawner(std::move(options)).spawn();
    const std::string text = read_all(process.standard_output());
    const ExitStatus status = process.wait();
    return status.success() ? text : text + "[" + status.to_string() + "]";
}

SpawnError failure_of(const SyncedSpawner& spawner) {
    SpawnError error;
    const Process process = spawner.spawn(error);
    return error;
}

SpawnError failure_of(SpawnOptions options) {
    return failure_of(SyncedSpawner(std::move(options)));
}

std::string read_all(int fd) {
    std::string text;
    char buffer[4096];
    for (;;) {
        const ssize_t size = read(fd, buffer, sizeof buffer);
        if (size > 0) {
            text.append(buffer, static_cast<std::size_t>(size));
        } else if (size == 0 || errno != EINTR) {
            return text;
        }
    }
}

TemporaryDirectory::TemporaryDirectory() {
    char name[] = "/tmp/syncspawn-test-XXXXXX";
    if (mkdtemp(name) == nullptr) {
        throw std::system_error(errno, std::generic_category(), "mkdtemp");
    }
    path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryDirectory::file(const std::string& name, const std::string& content,
                                     unsigned mode) const {
    std::string path = path_ + "/" + name;
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool written =
        write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size());
    if (!written || fchmod(fd, mode) < 0 || close(fd) < 0) {
        throw std::system_error(errno, std::generic_category(), path);
    }
    return path;
}

void refuse_system_calls(std::initializer_list<long> numbers, int error) {
    const auto refuse = SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
    std::vector<sock_filter> filter{{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)}};
    for (const long number : numbers) {
        filter.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<std::uint32_t>(number)});
        filter.push_back({BPF_RET | BPF_K, 0, 0, refuse});
    }
    filter.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW});
    const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
        throw std::system_error(errno, std::generic_category(), "seccomp");
    }
}

std::string name_of(const Process& process) {
    return value_in("/proc/" + std::to_string(process.pid()) + "/status", "Name");
}

std::size_t count_children() {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
        std::istringstream children(read_file(entry.path().string() + "/children"));
        for (std::string pid; children >> pid; ++count) {
        }
    }
    return count;
}

}  // namespace syncspawn::testing
