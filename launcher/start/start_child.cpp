#include "start_child.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <new>
#include <system_error>

#include "barrier/linux/fresh_descriptor.hpp"
#include "lasting_thread.hpp"
#include "passing_thread.hpp"

namespace syncspawn::detail {
namespace {

StartedChild start_here(const Plan& plan, StartMethod method, Caller caller) noexcept {
    if (plan.birth.pid_namespace >= 0) {
        return start_in_pid_namespace(plan);
    }
    return method == StartMethod::copied_memory ? start_with_copied_memory(plan)
                                                : start_with_shared_memory(plan, caller);
}

StartedChild start_on_right_thread(const Plan& plan, StartMethod method, Caller caller) noexcept {
    const bool is_elsewhere = plan.birth.pid_namespace >= 0;
    if (!plan.birth.die_with_parent && !is_elsewhere) {
        return start_here(plan, method, caller);
    }
    StartedChild child;
    try {
        const auto work = [&] { child = start_here(plan, method, caller); };
        if (!plan.birth.die_with_parent) {
            run_on_passing_thread(std::ref(work));
        } else if (!run_on_lasting_thread(is_elsewhere ? Births::elsewhere : Births::here,
                                          std::ref(work))) {
            return no_child(
                EPERM,
                "the library's thread for children that die with their parent is unlike the "
                "caller in credentials, filters, namespaces or open files");
        }
    } catch (const std::system_error& failure) {
        return no_child(failure.code().value(), "pthread_create", KnownCall::new_thread);
    } catch (const std::bad_alloc&) {
        return no_child(ENOMEM, "pthread_create", KnownCall::new_thread);
    }
    return child;
}

// By itself or by one above it (cgroups(7)). False where the kernel does not say: before Linux 5.2.
bool is_frozen(int cgroup) noexcept {
    const UniqueFd events(openat(cgroup, "cgroup.events", O_RDONLY | O_CLOEXEC));
    char text[256] = {};
    return events && read(events.get(), text, sizeof text - 1) > 0 &&
           std::strstr(text, "frozen 1") != nullptr;
}

}  // namespace

void take_pidfd(StartedChild& child, int fd, const char* call) noexcept {
    child.pidfd = UniqueFd(above_standard_streams(fd));
    if (child.pidfd) {
        return;
    }
    const int error = errno;
    kill(child.pid, SIGKILL);
    while (waitpid(child.pid, nullptr, __WALL) < 0 && errno == EINTR) {
    }
    child = no_child(error, call, KnownCall::birth);
}

StartedChild start_child(const Plan& plan, StartMethod method, Caller caller) noexcept {
    const int cgroup = plan.birth.cgroup;
    if (cgroup >= 0 && is_frozen(cgroup)) {
        return no_child(EDEADLK, "the cgroup is frozen");
    }
    // When a limit of memory is reached, the kernel judges each process in the cgroup by the whole
    // memory that it has, and kills all that share it: this process. Only a parent that is suspended
    // until the execve (CLONE_VFORK) makes it pass the child over.
    if (method == StartMethod::shared_memory && cgroup >= 0 && caller == Caller::goes_on) {
        return no_child(ENOSYS,
                        "a limit of the cgroup would reach this process while memory is shared");
    }
    StartedChild child = start_on_right_thread(plan, method, caller);
    if (child.pid < 0 && child.error == EAGAIN) {
        end_idle_threads();  // the limits of processes count them
        child = start_on_right_thread(plan, method, caller);
    }
    return child;
}

}  // namespace syncspawn::detail
