#include "probe.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <new>
#include <system_error>

namespace syncspawn::sandbox {
namespace {

// What the child writes, the parent reads.
struct Unmapped {
    void operator()(Findings* page) const noexcept { munmap(page, sizeof *page); }
};
using SharedFindings = std::unique_ptr<Findings, Unmapped>;

[[noreturn]] void refuse(int error, const char* call) {
    throw std::system_error(error, std::system_category(), call);
}

SharedFindings shared_findings() {
    void* page =
        mmap(nullptr, sizeof(Findings), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        refuse(errno, "mmap");
    }
    return SharedFindings(new (page) Findings);
}

// The child must not run the handlers of this process.
class BlockedSignals {
public:
    BlockedSignals() noexcept {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;

private:
    sigset_t before_{};
};

// Runs `body` in a child, and returns its wait status.
template <class Body>
int status_of_child(Body body) {
    const BlockedSignals blocked;
    // No SIGCHLD at its end, so that no handler hears of it and no waitpid(-1) of the program takes it.
    const long child = syscall(SYS_clone, 0, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) {
        body();
        _exit(0);
    }
    if (child < 0) {
        refuse(errno, "clone");
    }
    int status = 0;
    while (waitpid(static_cast<pid_t>(child), &status, __WALL) < 0 && errno == EINTR) {
    }
    return status;
}

bool is_of_filter(int status) noexcept { return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS; }

}  // namespace

Findings probe_in_child(ProbeWay way) {
    const SharedFindings findings = shared_findings();
    if (is_of_filter(status_of_child([&] { try_all(way, *findings); }))) {
        return {.unshare_nothing = EPERM};  // a filter that kills
    }
    return *findings;
}

bool is_killed_by_filter(void (*calls)() noexcept) { return is_of_filter(status_of_child(calls)); }

}  // namespace syncspawn::sandbox
