#include "support/tracer.hpp"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <algorithm>
#include <iterator>

#include "support/peer.hpp"

namespace syncspawn::testing {

void stop_for_tracer() noexcept {
    expect(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0);
    raise(SIGSTOP);
}

Tracer::Tracer(pid_t pid) noexcept : pid_(pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
}

bool Tracer::run_to_exit_of(long system_call) noexcept {
    long entered = -1;
    for (;;) {
        int status = 0;
        if (ptrace(PTRACE_SYSCALL, pid_, nullptr, nullptr) != 0 ||
            waitpid(pid_, &status, 0) != pid_ || !WIFSTOPPED(status)) {
            return false;
        }
        __ptrace_syscall_info info{};
        ptrace(PTRACE_GET_SYSCALL_INFO, pid_, sizeof info, &info);
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
            entered = static_cast<long>(info.entry.nr);
            std::copy(std::begin(info.entry.args), std::end(info.entry.args), arguments_.begin());
        } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && entered == system_call) {
            return true;
        }
    }
}

bool Tracer::read_memory(unsigned long address, void* buffer, std::size_t size) const noexcept {
    const iovec here{buffer, size};
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of the other process
    const iovec there{reinterpret_cast<void*>(address), size};
    return process_vm_readv(pid_, &here, 1, &there, 1, 0) == static_cast<ssize_t>(size);
}

void Tracer::let_go() const noexcept { ptrace(PTRACE_DETACH, pid_, nullptr, nullptr); }

}  // namespace syncspawn::testing
