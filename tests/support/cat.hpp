#pragma once

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>
#include <system_error>
#include <thread>

#include <syncspawn/launcher.hpp>

#include "support/observe.hpp"
#include "support/peer.hpp"
#include "support/shared.hpp"
#include "support/shared_memory.hpp"

// For tests of who outlives whom.

namespace syncspawn::testing {

// A cat whose ends of the pipes this harness holds: what it repeats proves that it lives, and it
// does not end because its input does.
class Cat {
public:
    Cat() {
        // It becomes a child of this process.
        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || pipe2(input_, O_CLOEXEC) < 0 ||
            pipe2(output_, O_CLOEXEC) < 0) {
            throw std::system_error(errno, std::generic_category(), "prepare a cat");
        }
    }
    Cat(const Cat&) = delete;
    Cat& operator=(const Cat&) = delete;
    ~Cat() {
        if (pid() > 0 && !is_reaped_) {
            kill(pid(), SIGKILL);
            waitpid(pid(), nullptr, 0);
        }
        for (const int fd : {input_[0], input_[1], output_[0], output_[1]}) {
            close(fd);
        }
    }

    // In the process that is to be its parent.
    void launch(StartMethod method, bool die_with_parent) {
        launch(Birth{.method = method}, die_with_parent);
    }
    void launch(const Birth& birth, bool die_with_parent) {
        Process process = SyncedSpawner(options(birth, die_with_parent)).spawn();
        expect(process.start_method() == birth.method);
        is(process.release());
    }
    // The same for who launches it in another way.
    SpawnOptions options(const Birth& birth, bool die_with_parent) const {
        return {.program = "cat",
                .streams = {.input = Stdio::descriptor(input_[0]),
                            .output = Stdio::descriptor(output_[1])},
                .birth = birth,
                .ending = {.die_with_parent = die_with_parent}};
    }
    void is(pid_t pid) noexcept { *pid_ = pid; }

    pid_t pid() const noexcept { return *pid_; }

    // A signal that kills it was sent before it could read this.
    bool repeats() const {
        char byte = 'x';
        return write(input_[1], &byte, 1) == 1 && read_or_end(byte) == 1;
    }

    // Waits for its end; its parent has ended before.
    std::string ending() {
        int status = 0;
        is_reaped_ = waitpid(pid(), &status, 0) == pid();
        if (!is_reaped_) {
            return "not a child";
        }
        return WIFSIGNALED(status) ? "killed by " + signal_name(WTERMSIG(status)) : "exited";
    }

private:
    // The harness holds a writing end itself: a cat that is dead shows by its state.
    ssize_t read_or_end(char& byte) const {
        fcntl(output_[0], F_SETFL, O_NONBLOCK);
        ssize_t size = -1;
        comes_true([&] {
            size = read(output_[0], &byte, 1);
            return size >= 0 || errno != EAGAIN || state_of(pid()) == 'Z' ||
                   state_of(pid()) == '\0';
        });
        return size;
    }

    int input_[2] = {-1, -1};
    int output_[2] = {-1, -1};
    Shared<std::atomic<pid_t>> pid_;
    bool is_reaped_ = false;
};

// Runs this on a thread that has gone without trace when it returns.
template <class Body>
void on_a_short_lived_thread(Body body) {
    const std::size_t before = count_threads();
    std::atomic<pid_t> id{0};
    std::thread thread([&] {
        body();
        id = gettid();
    });
    thread.join();
    const std::string task = "/proc/self/task/" + std::to_string(id);
    expect(comes_true([&] { return access(task.c_str(), F_OK) < 0; }));
    expect(count_threads() >= before);
}

}  // namespace syncspawn::testing
