#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string>

#include <syncspawn/sandbox.hpp>

#include "scenarios.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"
#include "support/peer.hpp"
#include "support/reaper.hpp"
#include "support/shared.hpp"

// A sandbox runs: its program, and a process that this has left in the background. Then somebody is killed from outside.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

struct Told {
    std::atomic<pid_t> reaper{0};
};

// In a peer.
sandbox::Sandbox planned(const Ground& ground) {
    try {
        return sandbox::Sandbox(
            {.files = {.writable = {ground / "src"}, .protected_paths = {ground / "src/new"}},
             .network = sandbox::Network::host});
    } catch (const sandbox::PolicyError& error) {
        leave_out_here(error.what());
    }
}

// The peer launches, and waits. The pipe ends when no process of the sandbox is left.
class Running {
public:
    enum class User { same, ordinary };

    explicit Running(User user)
        : before_(ground_.listing()), has_pipe_(pipe2(pipe_, O_CLOEXEC) == 0), launcher_([&] {
              close(pipe_[0]);
              if (user == User::ordinary) {
                  become_ordinary_user();
              }
              launch();
          }) {
        close(pipe_[1]);
    }
    ~Running() { close(pipe_[0]); }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    // False: it ended before, or was left out.
    [[nodiscard]] bool is_up() const {
        char text[3];
        return has_pipe_ && read(pipe_[0], text, sizeof text) == sizeof text;
    }
    [[nodiscard]] Peer& launcher() { return launcher_; }
    [[nodiscard]] pid_t reaper() const { return told_->reaper; }
    [[nodiscard]] pid_t program() const { return program_of(reaper()); }
    void check_all_have_ended() const {
        CHECK(read_all(pipe_[0]).empty());
        CHECK(comes_to_have_gone(reaper()));
    }
    // Where both are dead who would remove it, the next launch does.
    void check_nothing_is_left() const {
        Peer next([this] {
            SyncedSpawner spawner({.program = "true"});
            planned(ground_).add_to(spawner);
            expect(spawner.spawn().wait().success());
        });
        CHECK(next.ending() == reached_the_end);
        CHECK(comes_true([this] { return ground_.listing() == before_; }));
    }

private:
    // Ends with the program's code.
    void launch() {
        SpawnOptions options = shell("sleep 1000 & program=$!; echo up >&3; wait $program; exit 1");
        options.descriptors.passed = {{pipe_[1], 3}};
        SyncedSpawner spawner(std::move(options));
        planned(ground_).add_to(spawner);
        told_->reaper = 0;
        Process process = spawner.spawn();
        told_->reaper = process.pid();
        close(pipe_[1]);
        _exit(process.wait().shell_code());
    }

    Ground ground_;
    std::string before_;
    Shared<Told> told_;
    int pipe_[2] = {-1, -1};
    bool has_pipe_;
    Peer launcher_;
};

constexpr int killed = 128 + SIGKILL;

int code_of(Peer& peer) {
    const int status = peer.wait_status();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

template <class Body>
void with_each_user(Body body) {
    for (const Running::User user : {Running::User::same, Running::User::ordinary}) {
        CAPTURE(static_cast<int>(user));
        Running running(user);
        if (!running.is_up()) {
            const std::string reason = running.launcher().left_out();
            REQUIRE_FALSE(reason.empty());
            SKIP_TEST(reason);
        }
        // The program says that it is up before the launch is over.
        REQUIRE(comes_true([&] { return running.reaper() > 0; }));
        body(running);
        running.check_all_have_ended();
        running.check_nothing_is_left();
    }
}

}  // namespace

TEST_CASE("launcher and reaper are killed at once") {
    with_each_user([](Running& running) {
        running.launcher().send(SIGKILL);
        kill(running.reaper(), SIGKILL);
        CHECK(code_of(running.launcher()) == killed);
    });
}

TEST_CASE("the reaper is killed, and the launcher hears of it") {
    with_each_user([](Running& running) {
        kill(running.reaper(), SIGKILL);
        CHECK(code_of(running.launcher()) == killed);
    });
}

TEST_CASE("the program is killed, and the launcher hears of it") {
    with_each_user([](Running& running) {
        kill(running.program(), SIGKILL);
        CHECK(code_of(running.launcher()) == killed);
    });
}

TEST_CASE("a stopped program ends with the launcher") {
    with_each_user([](Running& running) {
        const pid_t program = running.program();
        kill(program, SIGSTOP);
        CHECK(comes_to_state(program, 'T'));
        running.launcher().send(SIGKILL);
        CHECK(code_of(running.launcher()) == killed);
    });
}

TEST_CASE("a stopped reaper ends with the launcher") {
    with_each_user([](Running& running) {
        kill(running.reaper(), SIGSTOP);
        CHECK(comes_to_state(running.reaper(), 'T'));
        running.launcher().send(SIGKILL);
        CHECK(code_of(running.launcher()) == killed);
    });
}

TEST_CASE("a launcher that is stopped when its reaper is killed ends nothing later than that") {
    with_each_user([](Running& running) {
        running.launcher().send(SIGSTOP);
        CHECK(comes_to_state(running.launcher().pid(), 'T'));
        kill(running.reaper(), SIGKILL);
        CHECK(comes_to_state(running.reaper(), 'Z'));
        running.launcher().send(SIGCONT);
        CHECK(code_of(running.launcher()) == killed);
    });
}
