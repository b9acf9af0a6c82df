#include "worker_process.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "machine.hpp"

namespace syncspawn::bench {
namespace {

constexpr int most_ms_for_an_answer = 120'000;

std::vector<std::string> command_of(const std::string& name) {
    if (name == "python") {
        return {"python3", helper("python.py")};
    }
    return {helper(name)};
}

struct Pipe {
    int read, write;

    static Pipe open() {
        int ends[2];
        expect(pipe2(ends, O_CLOEXEC) == 0, "pipe2 failed");
        return {ends[0], ends[1]};
    }
};

}  // namespace

std::string helper(const std::string& name) {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "workers" / name;
}

std::vector<pid_t> threads_of(pid_t process) {
    std::vector<pid_t> threads;
    std::error_code gone;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task", gone)) {
        threads.push_back(std::stoi(entry.path().filename()));
    }
    return threads;
}

std::optional<WorkerProcess> WorkerProcess::start(const std::string& name, const Ballast& ballast,
                                                  std::string& reason) {
    std::vector<std::string> words = command_of(name);
    if (!std::filesystem::exists(words.back())) {
        reason = "it was not there when the benchmarks were built";
        return std::nullopt;
    }
    words.insert(words.end(), {std::to_string(ballast.mib), ballast.pages, helper("true")});
    std::vector<char*> arguments;
    for (std::string& word : words) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);

    const Pipe input = Pipe::open();
    const Pipe output = Pipe::open();
    const pid_t self = getpid();
    const pid_t pid = fork();
    if (pid == 0) {
        // What a shell has left open costs each launch something, and each method another thing.
        (void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        // A worker that is at work does not see the end of its input.
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == self &&
            dup2(input.read, STDIN_FILENO) >= 0 && dup2(output.write, STDOUT_FILENO) >= 0) {
            execvp(arguments[0], arguments.data());
        }
        _exit(127);
    }
    close(input.read);
    close(output.write);
    expect(pid > 0, "fork failed");
    WorkerProcess worker(pid, input.write, output.read, ballast.mib);
    std::istringstream answer(worker.hear("ready"));
    std::string word;
    if (!(answer >> word) || word != "ready") {
        reason = "it does not run";
        return std::nullopt;
    }
    while (answer >> word) {
        worker.methods_.push_back(word);
    }
    return worker;
}

WorkerProcess::WorkerProcess(WorkerProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      input_(std::exchange(other.input_, -1)),
      output_(std::exchange(other.output_, -1)),
      mib_(other.mib_),
      methods_(std::move(other.methods_)) {}

WorkerProcess::~WorkerProcess() {
    if (pid_ > 0) {
        close(input_);
        close(output_);
        waitpid(pid_, nullptr, 0);
    }
}

bool WorkerProcess::has(const std::string& method) const {
    return std::find(methods_.begin(), methods_.end(), method) != methods_.end();
}

double WorkerProcess::share_of_huge_pages() const {
    std::ifstream rollup("/proc/" + std::to_string(pid_) + "/smaps_rollup");
    for (std::string key; rollup >> key;) {
        double kib = 0;
        if (key == "AnonHugePages:" && rollup >> kib) {
            return kib / 1024 / mib_;
        }
    }
    return 0;
}

std::vector<double> WorkerProcess::launch(const std::string& method, int count) {
    const std::string order = method + ' ' + std::to_string(count) + '\n';
    expect(write(input_, order.data(), order.size()) == static_cast<ssize_t>(order.size()),
           "a worker does not listen");
    std::istringstream answer(hear(method));
    std::vector<double> times;
    for (double time = 0; answer >> time;) {
        times.push_back(time);
    }
    expect(times.size() == static_cast<std::size_t>(count),
           ("a worker gave a wrong answer, or ended: " + method).c_str());
    return times;
}

void WorkerProcess::allow(const cpu_set_t& cpus) const {
    for (const pid_t thread : threads_of(pid_)) {
        sched_setaffinity(thread, sizeof cpus, &cpus);  // a thread may have just ended
    }
}

std::string WorkerProcess::hear(const std::string& about) {
    std::string line;
    while (!line.ends_with('\n')) {
        pollfd answer{output_, POLLIN, 0};
        const bool is_there = poll(&answer, 1, most_ms_for_an_answer) == 1;
        expect(is_there, ("a worker gives no answer: " + about).c_str());
        char buffer[4096];
        const ssize_t size = read(output_, buffer, sizeof buffer);
        if (size <= 0) {
            return "";  // it has ended
        }
        line.append(buffer, static_cast<std::size_t>(size));
    }
    return line;
}

}  // namespace syncspawn::bench
