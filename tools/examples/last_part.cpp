// A seccomp filter, installed right before execve: the program cannot change its directory any more.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>

#include <syncspawn/launcher.hpp>

int main() {
    // Load the number of the call; chdir fails with EPERM, everything else is allowed. (One for real use looks
    // at seccomp_data::arch first.)
    std::array<sock_filter, 4> code{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_chdir, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog filter{code.size(), code.data()};

    syncspawn::SyncedSpawner spawner(
        {.program = "sh",
         .arguments = {"-c", "test $(pwd) = /tmp && ! cd / 2>/dev/null"},
         .working_directory = "/tmp"});
    spawner.step({.name = "filter",
                  .last = syncspawn::shared_memory([&filter](syncspawn::ChildSide& side) {
                      return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                                     prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0
                                 ? side.fail("prctl")
                                 : side.done();
                  })});
    try {
        return spawner.spawn().wait().shell_code();
    } catch (const syncspawn::SpawnError& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
