#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <utility>

#include <syncspawn/launcher/launch.hpp>

#include "support/launched.hpp"
#include "support/namespaces.hpp"
#include "support/observe.hpp"
#include "support/shared_memory.hpp"

// A child that SIGKILL does not end: in the freezer of cgroup v1.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

void write_to(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    expect(static_cast<bool>(file));
}

// In a peer. A cgroup of the v1 freezer in a hierarchy that nobody else sees mounted.
class Freezer {
public:
    Freezer() {
        if (unshare(CLONE_NEWNS) < 0) {
            leave_out_here("this machine forbids new mount namespaces");
        }
        make_mounts_private("/");
        if (mount("none", place, "cgroup", 0, "freezer") < 0) {
            leave_out_here("no freezer of cgroup v1");
        }
        group_ = std::string(place) + "/syncspawn-test-" + std::to_string(getpid());
        if (mkdir(group_.c_str(), 0700) < 0) {
            umount2(place, MNT_DETACH);
            leave_out_here("no cgroup can be made in the freezer of cgroup v1");
        }
    }
    ~Freezer() {
        rmdir(group_.c_str());
        umount2(place, MNT_DETACH);
    }
    Freezer(const Freezer&) = delete;
    Freezer& operator=(const Freezer&) = delete;

    void freeze(pid_t pid) const {
        write_to(group_ + "/cgroup.procs", std::to_string(pid));
        write_to(group_ + "/freezer.state", "FROZEN");
        expect(comes_true([&] { return read_file(group_ + "/freezer.state") == "FROZEN\n"; }));
    }
    void thaw() const { write_to(group_ + "/freezer.state", "THAWED"); }

private:
    static constexpr const char* place = "/mnt";  // in this mount namespace alone
    std::string group_;
};

void expect_left_behind(const SpawnError& error, const Freezer& freezer) {
    expect(error.survivor().has_value());
    const pid_t pid = *error.survivor();
    const std::string end = "; pid " + std::to_string(pid) +
                            " could not be killed: it is frozen, or in an uninterruptible call "
                            "(state D)";
    expect_same(error.what(), ("x in the parent: call: input/output error" + end).c_str());
    freezer.thaw();
    int status = 0;
    expect(waitpid(pid, &status, __WALL) == pid);
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    expect(count_children() == 0);
}

}  // namespace

TEST_CASE("a child that cannot be killed is left behind, and the error says so") {
    for (const StartMethod method : start_methods()) {
        Peer peer([method] {
            const Freezer freezer;
            const auto open_before = open_descriptors();
            bool was_undone = false;
            SyncedSpawner spawner({.program = "true",
                                   .birth = {.method = method},
                                   .setup = {.within = 1h, .abort_grace = 0ns}});
            spawner.step({.name = "x",
                          .child = shared_memory([](ChildSide&) {}),
                          .parent = [](ParentSide&) {},
                          .undo = [&](ParentSide&) { was_undone = true; }});
            spawner.step({.name = "x", .parent = [&](ParentSide& side) {
                              freezer.freeze(side.child_pid());
                              return side.fail(EIO, "call");
                          }});
            expect_left_behind(failure_of(spawner), freezer);
            expect(was_undone);
            expect(open_descriptors() == open_before);
            expect(SyncedSpawner({.program = "true", .birth = {.method = method}})
                       .spawn()
                       .wait()
                       .success());
        });
        CHECK_REACHED_THE_END_OR_SKIP(peer);
    }
}

// It lives on in memory that it may have in common with this process, and goes away when it finds that
// the launch is over.
TEST_CASE("a child that may not be signalled is left behind, and finds its memory as it was") {
    for (const StartMethod method : start_methods()) {
        Peer peer([method] {
            int gate[2];
            expect(pipe2(gate, O_CLOEXEC) == 0);
            SyncedSpawner spawner(
                {.program = "true", .birth = {.method = method}, .setup = {.abort_grace = 0ns}});
            spawner.step({.name = "held",
                          .child = shared_memory([fd = gate[0]](ChildSide&) {
                              char byte = 0;
                              (void)!read(fd, &byte, 1);
                          }),
                          .descriptors = {gate[0]}});
            spawner.step({.name = "x", .parent = [](ParentSide& side) {
                              const bool is_held = sleeps_in(side.child_pid(), SYS_read);
                              refuse_system_calls({SYS_kill, SYS_pidfd_send_signal}, EPERM);
                              return side.fail(is_held ? EIO : ECANCELED, "call");
                          }});
            const SpawnError error =
                failure_of(std::exchange(spawner, SyncedSpawner({.program = "true"})));
            expect(error.survivor().has_value());
            expect_same(error.what(), ("x in the parent: call: input/output error; pid " +
                                       std::to_string(*error.survivor()) +
                                       " could not be killed: this process may not signal it")
                                          .c_str());
            expect(write(gate[1], "x", 1) == 1);
            int status = 0;
            expect(waitpid(*error.survivor(), &status, __WALL) == *error.survivor());
            expect(WIFEXITED(status) && WEXITSTATUS(status) == 125);
        });
        CHECK_REACHED_THE_END_OR_SKIP(peer);
    }
}

TEST_CASE("an event loop's launch whose child cannot be killed is over all the same") {
    Peer peer([] {
        const Freezer freezer;
        SyncedSpawner spawner({.program = "true", .setup = {.abort_grace = 0ns}});
        spawner.step({.name = "x", .parent = [&](ParentSide& side) {
                          freezer.freeze(side.child_pid());
                          return side.fail(EIO, "call");
                      }});
        Launch launch = spawner.launch();
        while (!launch.advance()) {
            await_event(launch.descriptor());
        }
        SpawnError error;
        (void)launch.take_process(error);
        expect_left_behind(error, freezer);
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}
