// Tries all attacks, and prints a line for each: NAME, a tab, and "worked", "denied ERRNO", "untried WHY" or "outside".
// usage: attack list
//        attack TERMINAL MEMORY MEMORY_FILE FILE_IN_TMP NETWORK
//        attack QUESTION
//        attack write PATH
#include "attack.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace syncspawn::attacks {
namespace {

Scene the_scene;

constexpr unsigned watchdog_seconds = 600;

}  // namespace

const Scene& scene() { return the_scene; }

Outcome worked() { return {.kind = Outcome::Kind::worked}; }
Outcome denied() { return {.kind = Outcome::Kind::denied, .error = errno}; }
Outcome seen_outside() { return {.kind = Outcome::Kind::seen_outside}; }
Outcome by(bool has_worked) { return has_worked ? worked() : denied(); }

Outcome untried(const char* why) {
    Outcome outcome{.kind = Outcome::Kind::untried};
    std::snprintf(outcome.why, sizeof outcome.why, "%s", why);
    return outcome;
}

Outcome reached(long result) {
    return by(result >= 0 || (errno != EPERM && errno != EACCES && errno != ENOSYS));
}

bool has_token(const char* text, ssize_t size) {
    return size >= token_size && std::memcmp(text, token, token_size) == 0;
}

bool reads_token(int fd) {
    char text[sizeof token]{};
    errno = 0;
    return has_token(text, read(fd, text, sizeof text));
}

bool reads_token(const char* path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd >= 0 && reads_token(fd);
}

bool writes(const char* path, int further_flags) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | further_flags, 0666);
    const bool has_written = fd >= 0 && write(fd, "x", 1) == 1;
    const int error = errno;
    close(fd);
    errno = error;
    return has_written;
}

bool in_child(bool (*body)()) {
    const pid_t child = fork();
    if (child == 0) {
        _exit(body() ? 0 : errno);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return false;
    }
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status) == SIGSEGV ? ENOSYS : EPERM;
    return status == 0;
}

bool program_says_yes(const char* path, const char* question) {
    const pid_t child = fork();
    if (child == 0) {
        execl(path, path, question, nullptr);
        _exit(errno);
    }
    int status = 0;
    waitpid(child, &status, 0);
    constexpr int yes = 200;
    errno = WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : EPERM;
    return WIFEXITED(status) && WEXITSTATUS(status) == yes;
}

namespace {

bool has_capabilities() {
    char text[4096]{};
    const int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    (void)!read(fd, text, sizeof text - 1);
    const char* const line = std::strstr(text, "CapEff:");
    return line != nullptr && std::strtoull(line + 7, nullptr, 16) != 0;
}

int answer(const std::string& question) {
    const bool is_so = question == "other-user"     ? geteuid() != getuid()
                       : question == "capabilities" ? has_capabilities()
                                                    : question == "here";
    return is_so ? 200 : EPERM;
}

void print(const char* name, const Outcome& outcome) {
    switch (outcome.kind) {
        case Outcome::Kind::worked:
            std::printf("%s\tworked\n", name);
            break;
        case Outcome::Kind::denied:
            std::printf("%s\tdenied %s\n", name, strerrorname_np(outcome.error));
            break;
        case Outcome::Kind::untried:
            std::printf("%s\tuntried %s\n", name, outcome.why);
            break;
        case Outcome::Kind::seen_outside:
            std::printf("%s\toutside\n", name);
            break;
    }
    std::fflush(stdout);
}

// In memory that the child shares, for it may have lost all its descriptors.
void attempt(const Attack& attack, Outcome& outcome) {
    outcome = {};
    const pid_t child = fork();
    if (child == 0) {
        alarm(watchdog_seconds);
        errno = 0;
        outcome = attack.attempt();
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
        std::printf("%s\tdenied SIGSYS\n", attack.name);
    } else if (status != 0) {
        std::printf("%s\tbroken %d\n", attack.name, status);
    } else {
        print(attack.name, outcome);
    }
    std::fflush(stdout);
}

std::vector<Attack> all_attacks() {
    std::vector<Attack> all;
    for (const auto& theme : {attacks_on_files(), attacks_on_mounts(), attacks_on_processes(),
                              attacks_on_network(), attacks_on_privileges(), attacks_on_kernel()}) {
        all.insert(all.end(), theme.begin(), theme.end());
    }
    return all;
}

// NAME, a tab, who can do it without a sandbox, a blank, and the errno where it is lacking.
int list() {
    for (const Attack& attack : all_attacks()) {
        std::printf("%s\t%s %s\n", attack.name,
                    attack.without == Without::everybody_can ? "everybody" : "root",
                    attack.lacking == 0 ? "-" : strerrorname_np(attack.lacking));
    }
    std::fflush(stdout);
    return 0;
}

}  // namespace
}  // namespace syncspawn::attacks

int main(int count, char** words) {
    using namespace syncspawn::attacks;
    if (count == 2) {
        _exit(std::strcmp(words[1], "list") == 0 ? list() : answer(words[1]));
    }
    if (count == 3) {
        _exit(writes(words[2], O_CREAT) ? 0 : errno);
    }
    if (count != 6) {
        return 2;
    }
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address in another process
    the_scene = {words[1], reinterpret_cast<void*>(std::strtoull(words[2], nullptr, 0)),
                 static_cast<int>(std::strtol(words[3], nullptr, 10)), words[4], words[5]};
    auto* const outcome = static_cast<Outcome*>(
        mmap(nullptr, sizeof(Outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    for (const Attack& attack : all_attacks()) {
        attempt(attack, *outcome);
    }
    _exit(0);
}
