#include "network_visitor.hpp"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "barrier/linux/descriptor_message.hpp"

namespace syncspawn::sandbox {
namespace {

VisitResult failure(VisitStage stage) noexcept { return {stage, errno}; }

bool enter(int fd, int kind) noexcept { return fd < 0 || syscall(SYS_setns, fd, kind) == 0; }

bool enter_root(int root) noexcept {
    return root < 0 || (syscall(SYS_fchdir, root) == 0 && syscall(SYS_chroot, ".") == 0);
}

VisitResult connect_there(const Visit& plan, int& connected) noexcept {
    if (!enter(plan.user_namespace, CLONE_NEWUSER)) {
        return failure(VisitStage::user_namespace);
    }
    if (!enter(plan.network_namespace, CLONE_NEWNET)) {
        return failure(VisitStage::network_namespace);
    }
    if (!enter_root(plan.root)) {
        return failure(VisitStage::root);
    }
    // The kernel forgets that with the change of credentials, so not earlier.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const long parent = syscall(SYS_getppid);
    if (parent != plan.parent &&
        parent != 0) {  // 0: the parent has a pid namespace for its children
        _exit(1);
    }
    const long socket = syscall(SYS_socket, plan.address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) {
        return failure(VisitStage::socket);
    }
    connected = static_cast<int>(socket);
    return syscall(SYS_connect, connected, plan.address.get(), plan.address.length) < 0
               ? failure(VisitStage::connection)
               : VisitResult{};
}

void send_home(int home, VisitResult result, int connected) noexcept {
    detail::DescriptorMessage message(result);
    if (result.error == 0) {
        message.attach(connected);
    }
    (void)message.send(home, MSG_NOSIGNAL);
}

}  // namespace

void visit(const Visit& plan) noexcept {
    // Its memory is a copy of the parent's, which nobody in the user namespace that it enters may read.
    prctl(PR_SET_DUMPABLE, 0);
    int connected = -1;
    const VisitResult result = connect_there(plan, connected);
    send_home(plan.home, result, connected);
    _exit(0);
}

}  // namespace syncspawn::sandbox
