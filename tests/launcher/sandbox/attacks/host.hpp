#pragma once

#include <sys/types.h>

#include <atomic>
#include <csignal>
#include <string>

#include <syncspawn/barrier/unique_fd.hpp>

#include "support/shared.hpp"

// What is attacked: files, services, a process and so on, in namespaces that are thrown away. All of this is called in
// a peer, which is left out where the machine forbids them.

namespace syncspawn::attacks {

// What has happened to the victim.
struct Seen {
    std::atomic<int> signals[NSIG];
};

// Who owns it all.
struct Ids {
    uid_t user = 0;
    gid_t group = 0;
};

void give_up_capabilities();
// This process, and not its children, is in new namespaces; by way of a user namespace if it is not root.
void enter_host_namespaces();

// In the first process of the host.
class Host {
public:
    explicit Host(Ids program);

    [[nodiscard]] int signals(int signal) const { return seen_->signals[signal]; }
    [[nodiscard]] const std::string& terminal() const noexcept { return terminal_; }
    // A descriptor of "/", which is not close-on-exec.
    [[nodiscard]] int root() const noexcept { return root_; }
    [[nodiscard]] int secret() const noexcept { return secret_; }

    // Services that begin only now.
    static void start_late_services();
    // In the process that is to launch: a session keyring with a key.
    static void make_keyring();

private:
    void make_terminals(Ids program);
    void start_victim(Ids program);

    testing::Shared<Seen> seen_;
    std::string terminal_;
    int secret_ = -1;
    int root_ = -1;
};

}  // namespace syncspawn::attacks
