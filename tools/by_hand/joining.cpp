#include "joining.hpp"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/steps.hpp>

#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {
namespace {

using Opened = std::shared_ptr<const UniqueFd>;

// `option` is what was typed: "--netns /run/netns/blue".
[[noreturn]] void refuse(const std::string& option, const std::string& what, const char* kind) {
    throw UsageError(option + ": " + what,
                     std::string("name a ") + kind + " namespace that this user may open");
}

void require_kind(int descriptor, int flag, const std::string& option, const char* kind) {
    if (ioctl(descriptor, NS_GET_NSTYPE) != flag) {
        refuse(option, std::string("it is no ") + kind + " namespace", kind);
    }
}

Opened open_network(const std::string& path, const std::string& option) {
    // Whatever it is, a FIFO or a terminal, it is only looked at.
    auto opened = std::make_shared<const UniqueFd>(
        open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!*opened) {
        refuse(option, std::generic_category().message(errno), "network");
    }
    require_kind(opened->get(), CLONE_NEWNET, option, "network");
    return opened;
}

}  // namespace

Step join_user_namespace(int descriptor) {
    require_kind(descriptor, CLONE_NEWUSER, "--userns " + std::to_string(descriptor), "user");
    return {.name = "user namespace", .before_start = [descriptor](ParentSide& side) {
                return setns(descriptor, CLONE_NEWUSER) < 0
                           ? side.fail("setns to the namespace of --userns")
                           : side.done();
            }};
}

Step join_second_user_namespace(int descriptor) {
    require_kind(descriptor, CLONE_NEWUSER, "--userns2 " + std::to_string(descriptor), "user");
    return steps::join_namespace(UniqueFd(fcntl(descriptor, F_DUPFD_CLOEXEC, 0)));
}

Step join_network(const std::string& path) {
    const Opened network = open_network(path, "--netns " + path);
    return steps::join_namespace(UniqueFd(fcntl(network->get(), F_DUPFD_CLOEXEC, 0)));
}

Step be_born_in_network(const std::string& path) {
    const Opened theirs = open_network(path, "--netns " + path);
    const Opened ours = open_network("/proc/thread-self/ns/net", "--netns " + path);
    const auto enter = [](Opened network) {
        return [network = std::move(network)](ParentSide& side) {
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
