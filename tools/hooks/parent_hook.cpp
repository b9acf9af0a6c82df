#include "parent_hook.hpp"

#include <cerrno>
#include <chrono>

#include "hook_category.hpp"

namespace syncspawn::tools {
namespace {

// Nothing but the standard streams and the pidfd: what a hook leaves in the background would keep a pipe of the
// caller's open. No input, for that is the program's.
SyncedSpawner shell_for(const std::string& command, const Signals& signals,
                        const ParentSide& side) {
    SpawnOptions options{.program = "/bin/sh", .arguments = {"-c", command}};
    options.argument_zero = "sh";
    options.streams.input = Stdio::null();
    options.signals = signals;
    options.ending.die_with_parent = true;
    options.environment.set(child_pid_variable, std::to_string(side.child_pid()));
    options.environment.unset(child_pidfd_variable);
    if (const int pidfd = side.child_pidfd(); pidfd >= 0) {
        options.environment.set(child_pidfd_variable, std::to_string(pidfd));
        options.descriptors.passed = {{.from = pidfd, .to = pidfd}};
    }
    return SyncedSpawner(std::move(options));
}

std::error_code wait_for_end(const Process& shell, ParentSide& side) {
    constexpr auto between_looks = std::chrono::milliseconds(10);
    return shell.pidfd() >= 0 ? side.wait_for(shell.pidfd())
                              : side.wait_until(std::chrono::steady_clock::now() + between_looks);
}

std::error_code judge(const ExitStatus& status, ParentSide& side) {
    switch (status.kind()) {
        case ExitStatus::Kind::exited:
            return status.success() ? side.done()
                                    : side.fail({status.code() << 8, hook_category}, "");
        case ExitStatus::Kind::killed:
            return side.fail({status.signal(), hook_category}, "");
        case ExitStatus::Kind::unknown:
            break;
    }
    return side.fail(ECHILD, "wait for its end");
}

}  // namespace

ParentPart parent_hook(const std::string& command, const Signals& signals) {
    return [command, signals](ParentSide& side) {
        auto& shell = side.state<Process>();
        if (!shell) {
            SpawnError error;
            shell = shell_for(command, signals, side).spawn(error);
            if (error) {
                return side.fail(error.code(), "execute '/bin/sh'");
            }
        }
        const auto status = shell.try_wait();
        return status ? judge(*status, side) : wait_for_end(shell, side);
    };
}

}  // namespace syncspawn::tools
