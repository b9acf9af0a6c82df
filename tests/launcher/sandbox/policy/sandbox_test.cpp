#include <doctest/doctest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox.hpp>

#include "support/as_everybody.hpp"
#include "support/launched.hpp"
#include "support/namespaces.hpp"
#include "support/observe.hpp"
#include "support/sandboxed.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"
#include "support/steps.hpp"

using namespace std::chrono_literals;
using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

// As the root of a container mostly is.
void give_up_sys_admin() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
    expect(syscall(SYS_capget, &header, data) == 0);
    data[0].effective &= ~(1U << CAP_SYS_ADMIN);
    data[0].permitted &= ~(1U << CAP_SYS_ADMIN);
    expect(syscall(SYS_capset, &header, data) == 0);
}

}  // namespace

TEST_CASE("by default nothing outside can be written, and the tmp is private") {
    const Place place;
    const std::string outside = place.file_for_all("src/file");
    as_everybody([&] {
        expect_outcome("can test -r /etc/passwd; can touch /usr/x; can test -e " + outside, {},
                       "yes\nno\nno\n");
        expect_outcome("echo $TMPDIR; can touch $TMPDIR/x; ls $TMPDIR; can touch /var/tmp/x", {},
                       "/tmp\nyes\nx\nyes\n");
        // Nothing of one launch is left for the next.
        expect_outcome("ls /tmp; touch /tmp/y", {}, "");
        expect_outcome("can touch " + outside, {.files = {.private_tmp = false}}, "no\n");
    });
}

TEST_CASE("what is writable can be written, and the longest path wins in any order") {
    const Place place;
    const std::string src = place / "src";
    const std::string inner = place.made("src/inner");
    const std::string most = place.made("src/inner/most");
    as_everybody([&] {
        const std::string script =
            "cd " + src + "; can touch x; can touch inner/x; can touch inner/most/x";
        expect_outcome(script, {.files = {.writable = {src, most}, .read_only = {inner}}},
                       "yes\nno\nyes\n");
        expect_outcome(script, {.files = {.writable = {most, src}, .read_only = {inner}}},
                       "yes\nno\nyes\n");
    });
}

TEST_CASE("what is hidden cannot be read, be it a file or a directory") {
    const Place place;
    const std::string file = place.file_for_all("src/file");
    const std::string keys = place.made("keys");
    (void)place.file_for_all("keys/id");
    as_everybody([&] {
        expect_outcome(
            "can cat " + file + "; can cat " + keys + "/id; can cat " + place.path() + "/other",
            {.files = {.read_only = {place.path()}, .hidden = {file, keys}}}, "no\nno\nno\n");
        expect_outcome("can cat /etc/passwd; can cat /etc/group",
                       {.files = {.hidden = {"/etc/passwd"}}}, "no\nyes\n");
    });
}

TEST_CASE("what is protected can be read, but not written, removed, replaced or moved away") {
    const Place place;
    (void)place.made("src/a");
    const std::string git = place.made("src/a/.git");
    (void)place.file_for_all("src/a/.git/config");
    const std::string script =
        "cd " + (place / "src") +
        "; can cat a/.git/config; can touch a/.git/x; can mv a/.git b; can rm -r "
        "a/.git; can mv a b; can touch a/x";
    as_everybody([&] {
        expect_outcome(script, {.files = {.writable = {place / "src"}, .protected_paths = {git}}},
                       "yes\nno\nno\nno\nno\nyes\n");
        expect(read_file(git + "/config") == "text");
    });
}

TEST_CASE("a protected link stays, and so does what it leads to") {
    const Place place;
    (void)place.made("src/real");
    (void)place.file_for_all("src/real/config");
    const std::string link = place / "src/.git";
    REQUIRE(symlink("real", link.c_str()) == 0);
    as_everybody([&] {
        expect_outcome(
            "cd " + (place / "src") +
                "; can cat .git/config; can touch .git/x; can touch real/x; can rm .git; can mv "
                ".git b; can mv real b; can ln -sfn / .git",
            {.files = {.writable = {place / "src"}, .protected_paths = {link}}},
            "yes\nno\nno\nno\nno\nno\nno\n");
    });
}

TEST_CASE("what is protected and absent cannot be made, and nothing of that stays on the host") {
    const Place place;
    const std::string git = place / "src/.git";
    const Policy policy{.files = {.writable = {place / "src"}, .protected_paths = {git}}};
    as_everybody([&] {
        expect_outcome(
            "cd " + (place / "src") +
                "; can mkdir .git; can touch .git; can ln -sfn / .git; can rm .git; can mv .git "
                "b; can sh -c 'echo x > .git'; can touch x",
            policy, "no\nno\nno\nno\nno\nno\nyes\n");
        struct stat about {};
        expect(lstat(git.c_str(), &about) < 0);
        SyncedSpawner failing({.program = "/no/such/program"});
        planned(policy).add_to(failing);
        expect(failure_of(failing).stage() == Stage::execve);
        expect(lstat(git.c_str(), &about) < 0);
        // As a launcher leaves it that is killed.
        expect(symlink("/proc/syncspawn/absent", git.c_str()) == 0);
        expect_outcome("can mkdir " + git + "; can rm " + git, policy, "no\nno\n");
        expect(lstat(git.c_str(), &about) < 0);
    });
}

TEST_CASE("no process outside is seen, in whatever directory there is a further /proc") {
    if (geteuid() != 0) {
        SKIP_TEST("root alone mounts what ordinary users see, too");
    }
    const Place place;
    const std::string root = place / "src";
    const std::string proc = place.made("src/proc");  // of a chroot
    for (const bool is_ordinary : {false, true}) {
        Peer peer = peer_in_namespaces(CLONE_NEWNS, [&] {
            make_mounts_private("/");
            expect(mount("/proc", proc.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0);
            if (is_ordinary) {
                become_ordinary_user();
            }
            const std::string script = "can ls " + proc + "; can ls " + proc + "/1";
            expect_outcome(script, {.files = {.writable = {root}}}, "no\nno\n");
            expect_outcome(script, {.files = {.read_only = {root}}}, "no\nno\n");
            expect_outcome(script,
                           {.files = {.read_only = {root}}, .processes = {.isolated = false}},
                           "yes\nyes\n");
        });
        CHECK_REACHED_THE_END_OR_SKIP(peer);
    }
}

TEST_CASE("the device tree is there, whatever is bound around it") {
    as_everybody([] {
        const std::string script =
            "can sh -c 'echo x >/dev/null'; can head -c 1 /dev/zero; can test -c /dev/tty; "
            "can test -e /dev/fd/0; can touch /dev/shm/x; can test -e /dev/kmsg";
        expect_outcome(script, {}, "yes\nyes\nyes\nyes\nyes\nno\n");
        expect_outcome(script, {.files = {.writable = {"/"}}}, "yes\nyes\nyes\nyes\nyes\nno\n");
        expect_outcome(
            script,
            {.files = {.tree = Tree::named_only, .read_only = {"/usr", "/bin", "/lib", "/lib64"}}},
            "yes\nyes\nyes\nyes\nyes\nno\n");
        expect_outcome("can sh -c 'echo x >/dev/null'; can touch /dev/shm/x",
                       {.files = {.device_tree = false}}, "yes\nno\n");
    });
}

TEST_CASE("where all is writable, the kernel's switches are not, unless they are named") {
    as_everybody([] {
        const std::string script =
            "grep ' /sys r' /proc/self/mountinfo | tail -n 1 | cut -d ' ' -f 6 | cut -c 1-2";
        expect_outcome(script, {.files = {.tree = Tree::host}}, "ro\n");
        expect_outcome("grep -c ' /sys/fs rw' /proc/self/mountinfo",
                       {.files = {.writable = {"/", "/sys/fs"}}},
                       access("/sys/fs", W_OK) < 0 && errno == EROFS ? "0\n" : "1\n");
        const Processes of_host{.isolated = false};
        expect_outcome(
            "grep -c ' /proc/sys ro' /proc/self/mountinfo; "
            "can sh -c 'echo 1 >/proc/self/oom_score_adj'",
            {.files = {.tree = Tree::host}, .processes = of_host}, "1\nyes\n");
    });
}

TEST_CASE("of a tree that names its paths, nothing else is there") {
    as_everybody([] {
        expect_outcome(
            "ls -d /usr /etc /home /bin 2>/dev/null; can touch /x",
            {.files = {.tree = Tree::named_only, .read_only = {"/usr", "/bin", "/lib", "/lib64"}}},
            "/bin\n/usr\nno\n");
    });
}

TEST_CASE("no process outside is seen, and the program's own end with it") {
    as_everybody([] {
        expect_outcome("can kill -0 " + std::to_string(getpid()) +
                           "; ls /proc | grep -c '^[0-9]*$' | grep -qx '[1-5]' && echo few",
                       {}, "no\nfew\n");
        SpawnError error;
        Process process = spawner_of("setsid sleep 1000 & echo $!", planned({})).spawn(error);
        expect(!error);
        // The pipe ends when the last holder has ended.
        expect(!read_all(process.standard_output()).empty());
        expect(process.wait().success());
    });
}

TEST_CASE("without a network there are unix sockets and no others") {
    as_everybody([] {
        const std::string script =
            "can perl -MSocket -e 'socket(S, AF_INET, SOCK_DGRAM, 0) or exit 1'; "
            "can perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) or exit 1'";
        expect_outcome(script, {}, "no\nyes\n");
        expect_outcome(script, {.network = Network::loopback}, "yes\nyes\n");
        expect_outcome("grep -c : /proc/net/dev", {.network = Network::loopback}, "1\n");
    });
}

TEST_CASE("a door leads to the launcher, and to nothing else") {
    as_everybody([] {
        OpenDoor proxy;
        const Sandbox sandbox = planned({.doors = {{"proxy", "127.0.0.1:0"}}},
                                        [&](OpenDoor opened) { proxy = std::move(opened); });
        SyncedSpawner spawner({.program = "sh", .arguments = {"-c", "sleep 1000"}});
        sandbox.add_to(spawner);
        const Process program = spawner.spawn();
        expect(proxy.name == "proxy");
        const UniqueFd client = connect_inside(program, proxy.address);
        const UniqueFd server(accept4(proxy.listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        expect(static_cast<bool>(server));
    });
    CHECK_THROWS_AS(Sandbox({.doors = {{"proxy", "127.0.0.1:0"}}}), PolicyError);
}

TEST_CASE("the program has no privileges, and is who the policy says") {
    as_everybody([] {
        const bool is_root = geteuid() == 0;
        const std::string caps =
            "grep -c 'Cap[PEA].*0000000000000000' /proc/self/status; "
            "grep NoNewPrivs /proc/self/status | tr '\\t' ' '; ";
        expect_outcome(caps + "id -u; can unshare -U true", {},
                       "3\nNoNewPrivs: 1\n" +
                           (is_root ? std::string("65534") : std::to_string(geteuid())) + "\nno\n");
        expect_outcome("id -u; id -g", {.privileges = {.user = 7, .group = 8}}, "7\n8\n");
        expect_outcome("uname -n", {.host_name = "box"}, "box\n");
    });
}

TEST_CASE("capabilities that are named are kept, and no others") {
    as_everybody([] {
        expect_outcome("grep CapEff /proc/self/status | tr '\\t' ' '; can mount -t tmpfs none /mnt",
                       {.privileges = {.capabilities = {"CAP_NET_BIND_SERVICE"}}},
                       "CapEff: 0000000000000400\nno\n");
    });
}

TEST_CASE("root of a container, which lacks CAP_SYS_ADMIN, gets the same sandbox") {
    if (geteuid() != 0) {
        SKIP_TEST("only root can give it up");
    }
    const Place place;
    Peer peer([&] {
        give_up_sys_admin();
        expect_outcome("id -u; can test -r /etc/passwd; can touch /usr/x; can touch " +
                           (place / "src/x") + "; can mount -t tmpfs none /mnt",
                       {.files = {.writable = {place / "src"}}}, "0\nyes\nno\nyes\nno\n");
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("without namespaces Landlock and seccomp hold what the policy accepts as weaker") {
    const Place place;
    const std::string git = place.made("src/.git");
    (void)place.file_for_all("src/.git/config");
    const std::string secret = place.file_for_all("secret");
    const Machine machine = without_namespaces();
    if (machine.landlock_version == 0) {
        SKIP_TEST("this kernel has no Landlock");
    }
    const Policy policy{
        .files = {.writable = {place / "src"},
                  .read_only = {place.path()},
                  .protected_paths = {git},
                  .hidden = {secret}},
        .accept_weaker = {Guarantee::files, Guarantee::services, Guarantee::processes}};
    as_everybody([&] {
        std::string tmp;
        {
            // The directory is there for as long as somebody can launch, also without the Sandbox.
            const SyncedSpawner spawner = [&] {
                const Sandbox sandbox(policy, machine);
                tmp = sandbox.temporary_directory();
                return spawner_of("can cat " + git + "/config; can touch " + git + "/x; can cat " +
                                      secret +
                                      "; can touch /usr/x; can touch $TMPDIR/x; can "
                                      "touch /tmp/x; can sh -c ': >/dev/null'",
                                  sandbox);
            }();
            Process process = spawner.spawn();
            expect_same(read_all(process.standard_output()).c_str(),
                        "yes\nno\nno\nno\nyes\nno\nyes\n");
            expect(process.start_method() == StartMethod::shared_memory || geteuid() == 0 ||
                   !memory_can_be_shared());
        }
        expect(access(tmp.c_str(), F_OK) < 0);
    });
}

TEST_CASE("without the default set, too, there are no user namespaces inside") {
    as_everybody([] {
        expect_outcome("can unshare -U true",
                       {.network = Network::loopback, .system_calls = {.default_deny_set = false}},
                       "no\n");
    });
}

TEST_CASE("limits of each process are set") {
    as_everybody([] {
        expect_outcome("ulimit -n; ulimit -c; ulimit -t",
                       {.limits = {.open_files = 64, .cpu_time = 100s}}, "64\n0\n100\n");
    });
}

TEST_CASE("when its time is up, the program is killed with all that it has started") {
    as_everybody([] {
        SpawnError error;
        Process process = spawner_of("trap '' TERM; sleep 1000 & sleep 1000",
                                     planned({.limits = {.wall_clock = 50ms}}))
                              .spawn(error);
        expect(!error);
        expect(process.wait().to_string().find("SIGKILL") != std::string::npos);
        expect(read_all(process.standard_output()).empty());
    });
}

TEST_CASE("own steps between the halves are inside, but still privileged") {
    as_everybody([] {
        const Sandbox sandbox = planned({});
        const auto look = [](const char* name, bool is_privileged) {
            return Step{.name = name,
                        .child = shared_memory([=](ChildSide& side) {
                            const bool is_inside = access("/run/.", F_OK) < 0 || getpid() == 1;
                            const bool may = syscall(SYS_unshare, CLONE_NEWUTS) == 0;
                            return is_inside && may == is_privileged ? side.done()
                                                                     : side.fail(EPERM, "look");
                        })};
        };
        SyncedSpawner spawner({.program = "true"});
        sandbox.add_surroundings_to(spawner);
        spawner.step(look("between", true));
        sandbox.add_restrictions_to(spawner);
        spawner.step(look("after", false));
        expect(spawner.spawn().wait().success());
    });
}

TEST_CASE("the plan is told as data and as text") {
    Peer peer([] {
        const Explanation plan = planned({.limits = {.wall_clock = 1s}}).explain();
        expect(!plan.holdings.empty());
        expect(plan.steps.back().name == "system calls");
        expect(plan.steps.back().is_last);
        const std::string text = plan.to_string();
        expect(text.find("files: by a mount namespace\n") != std::string::npos);
        expect(text.find("step 'wall clock': in the parent\n") != std::string::npos);
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a spawner that has namespaces of the sandbox's already is misuse") {
    Peer peer([] {
        const Sandbox sandbox = planned({});
        SyncedSpawner spawner({.program = "true", .birth = {.namespaces = Namespaces::pid}});
        expect(!thrown_by<std::invalid_argument>([&] {
                    sandbox.add_to(spawner);
                }).starts_with("nothing"));
        expect(spawner.options().birth.namespaces == Namespaces::pid);
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}
