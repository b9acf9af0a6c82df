#include "world.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox.hpp>

#include "host.hpp"
#include "scene.hpp"
#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"
#include "support/sandboxed.hpp"

namespace syncspawn::attacks {
namespace {

using namespace testing;
using namespace sandbox;

constexpr uid_t nobody = 65534;

Policy policy_for(User user, Mechanisms mechanisms) {
    std::vector<std::string> protected_paths(std::begin(gits), std::end(gits));
    protected_paths.insert(protected_paths.end(),
                           {absent, absent_too, absent_as_well, protected_link});
    Policy policy{.files = {.writable = {work, tree, swapped},
                            .read_only = {vendor},
                            .protected_paths = std::move(protected_paths),
                            .hidden = {keys, other_keys}},
                  .limits = {.open_files = 256, .file_size = 32'000'000}};
    if (user == User::root) {
        policy.privileges.host_user = 0;
        policy.privileges.host_group = 0;
    }
    if (mechanisms == Mechanisms::landlock_and_seccomp) {
        policy.accept_weaker = {Guarantee::files, Guarantee::services, Guarantee::processes};
    }
    return policy;
}

Machine machine_with(Mechanisms mechanisms) {
    Machine machine =
        mechanisms == Mechanisms::landlock_and_seccomp ? without_namespaces() : Machine::here();
    if (mechanisms == Mechanisms::namespaces) {
        machine.landlock_version = 0;
        machine.landlock = {.refusal = std::make_error_code(std::errc::operation_not_permitted)};
    } else if (machine.landlock_version < 6) {
        leave_out_here("the table is about Landlock of version 6 or newer");
    }
    return machine;
}

Sandbox planned_for(User user, Mechanisms mechanisms) {
    return planned(policy_for(user, mechanisms), machine_with(mechanisms));
}

void become_launcher(User user) {
    if (user != User::ordinary) {
        return;
    }
    become_ordinary_user();
    give_up_capabilities();
}

Ids ids_of(User user) {
    return geteuid() != 0       ? Ids{geteuid(), getegid()}
           : user == User::root ? Ids{}
                                : Ids{nobody, nobody};
}

bool somebody_survives() {
    const std::filesystem::directory_iterator processes("/proc");
    return std::any_of(begin(processes), end(processes), [](const auto& entry) {
        return read_file(entry.path().string() + "/comm") == std::string(survivor_name) + "\n";
    });
}

// What the attacks themselves cannot know.
bool has_worked(const std::string& name, const Host& host) {
    if (name == "signal the launcher's process group") {
        return host.signals(SIGCONT) > 0;
    }
    if (name == "signal a process outside as the owner of a pipe") {
        return host.signals(SIGUSR1) > 0;
    }
    if (name == "slow the launcher's process group down") {
        return getpriority(PRIO_PROCESS, victim) >= 5;
    }
    if (name == "delay what the launcher's process group reads and writes") {
        return syscall(SYS_ioprio_get, 1 /* a process */, victim) == delayed_priority;
    }
    expect(name == "stay behind when the program has ended");
    return somebody_survives();
}

std::string judged(const std::string& output, const Host& host) {
    std::string all;
    std::istringstream lines(output);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t tab = line.find('\t');
        const std::string name = line.substr(0, tab);
        all += name + "\t" +
               (line.substr(tab + 1) != "outside" ? line.substr(tab + 1)
                : has_worked(name, host)          ? "worked"
                                                  : "denied") +
               "\n";
    }
    return all;
}

const char* address_of_token() { return token; }

// In the process that launches.
std::string launch(User user, Mechanisms mechanisms, const Host& host, const std::string& in_tmp) {
    SpawnOptions options{
        .program = attack_program,
        .arguments = {host.terminal(),
                      std::to_string(reinterpret_cast<std::uintptr_t>(address_of_token())),
                      std::to_string(host.secret()), in_tmp,
                      std::filesystem::read_symlink("/proc/self/ns/net").string()}};
    options.streams.output = Stdio::pipe();
    if (mechanisms == Mechanisms::nothing) {
        options.descriptors.others = OtherDescriptors::leave;  // as fork(2) does
    }
    SyncedSpawner spawner(std::move(options));
    if (mechanisms != Mechanisms::nothing) {
        planned_for(user, mechanisms).add_to(spawner);
    }
    Host::start_late_services();
    expect(chdir("/mnt/outside") == 0);
    Process process = spawner.spawn();
    const std::string output = read_all(process.standard_output());
    expect_same(process.wait().to_string().c_str(), "exited with code 0");
    return judged(output, host);
}

// Puts the link into the place of the directory, and the directory back, for as long as it is there.
class Swapper {
public:
    Swapper()
        : process_([] {
              for (;;) {
                  expect(renameat2(AT_FDCWD, swapped, AT_FDCWD, swapped_link, RENAME_EXCHANGE) ==
                         0);
              }
          }) {}

private:
    Peer process_;
};

// Without a sandbox until it works; with one so many times.
std::string swap_in_a_link(User user, Mechanisms mechanisms) {
    constexpr int launches = 20;
    const std::string outside = std::string("/mnt/outside") + mark;
    SyncedSpawner spawner(
        {.program = attack_program, .arguments = {"write", std::string(swapped) + mark}});
    const bool is_held = mechanisms != Mechanisms::nothing;
    if (is_held) {
        planned_for(user, mechanisms).add_to(spawner);
    }
    const Swapper swapper;
    for (int launch = 0; access(outside.c_str(), F_OK) < 0; ++launch) {
        if (is_held && launch == launches) {
            return std::string(attack_by_swapping) + "\tdenied\n";
        }
        SpawnError refused;  // as it may be, when the directory is not in its place
        Process process = spawner.spawn(refused);
        if (process) {
            (void)process.wait();
        }
    }
    return std::string(attack_by_swapping) + "\tworked\n";
}

// Ends as its child does.
void wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        expect(errno == EINTR);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : status_expected);
    }
}

template <class Body>
void in_new_process(Body body) {
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        body();
        _exit(0);
    }
    wait_for(child);
}

void play(User user, Mechanisms mechanisms, const std::string& in_tmp, int results) {
    enter_host_namespaces();
    in_new_process([&] {
        const Host host(ids_of(user));
        in_new_process([&] {
            become_launcher(user);
            Host::make_keyring();
            std::string text = launch(user, mechanisms, host, in_tmp);
            text += swap_in_a_link(user, mechanisms);  // last, for the link may stay
            expect(write(results, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
        });
    });
}

}  // namespace

Attacked attacked(User user, Mechanisms mechanisms) {
    const TemporaryDirectory tmp;
    std::filesystem::permissions(tmp.path(), std::filesystem::perms(0755));
    const std::string in_tmp = tmp.file("secret", token, 0644);
    int ends[2];
    Attacked all;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        throw std::system_error(errno, std::generic_category(), "pipe2");
    }
    UniqueFd results(ends[0]);
    UniqueFd into(ends[1]);
    Peer peer([&] { play(user, mechanisms, in_tmp, into.get()); });
    into.reset();
    std::istringstream lines(read_all(results.get()));
    for (std::string line; std::getline(lines, line);) {
        const std::size_t tab = line.find('\t');
        all.outcomes[line.substr(0, tab)] = line.substr(tab + 1);
    }
    all.left_out = peer.left_out();
    all.ending = peer.ending();
    return all;
}

}  // namespace syncspawn::attacks
