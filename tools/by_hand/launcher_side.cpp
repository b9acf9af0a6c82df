#include "launcher_side.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <system_error>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::tools {

Step join_user_namespace(int descriptor) {
    return {.name = "user namespace", .before_start = [descriptor](ParentSide& side) {
                return setns(descriptor, CLONE_NEWUSER) < 0
                           ? side.fail("setns to the namespace of --userns")
                           : side.done();
            }};
}

Step clear_groups() {
    return {.name = "no supplementary groups", .before_start = [](ParentSide& side) {
                return setgroups(0, nullptr) < 0 ? side.fail("setgroups") : side.done();
            }};
}

Step die_with_own_parent() {
    return {.name = "die with the parent", .before_start = [parent = getppid()](ParentSide& side) {
                if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) {
                    return side.fail("prctl(PR_SET_PDEATHSIG)");
                }
                return getppid() == parent ? side.done()
                                           : side.fail(ESRCH, "the parent has ended already");
            }};
}

Step be_born_in_network(const std::string& path) {
    const auto open_namespace = [](const std::string& file) {
        auto opened = std::make_shared<UniqueFd>(open(file.c_str(), O_RDONLY | O_CLOEXEC));
        if (!*opened) {
            throw std::system_error(errno, std::generic_category(), "--netns " + file);
        }
        return opened;
    };
    const auto theirs = open_namespace(path);
    const auto ours = open_namespace("/proc/thread-self/ns/net");
    const auto enter = [](const std::shared_ptr<UniqueFd>& network) {
        return [network](ParentSide& side) {
            return setns(network->get(), CLONE_NEWNET) < 0 ? side.fail("setns to a network")
                                                           : side.done();
        };
    };
    return {.name = "network namespace",
            .before_start = enter(theirs),
            .parent = enter(ours),
            .undo = enter(ours)};
}

}  // namespace syncspawn::tools
