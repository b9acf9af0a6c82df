#include "process_group.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::sandbox {
namespace {

constexpr unsigned to_process_group = 1U << 2U;  // PIDFD_SIGNAL_PROCESS_GROUP

}  // namespace

Step end_of_process_group() {
    return {.name = "process group",
            .after_execve =
                [](ParentSide& side) {
                    side.state<UniqueFd>().reset(fcntl(side.child_pidfd(), F_DUPFD_CLOEXEC, 3));
                },
            .after_end =
                [](ParentSide& side) {
                    syscall(SYS_pidfd_send_signal, side.state<UniqueFd>().get(), SIGKILL, nullptr,
                            to_process_group);
                }};
}

}  // namespace syncspawn::sandbox
