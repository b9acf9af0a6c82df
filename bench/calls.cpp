// System calls of one launch on either side, counted by strace. It is attached to a worker that has
// launched before, because a process that is traced at its first launch copies its memory.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "barrier/linux/proc.hpp"
#include "machine.hpp"
#include "rounds.hpp"
#include "worker_process.hpp"

namespace {

using syncspawn::bench::expect;
using syncspawn::bench::Options;
using syncspawn::bench::quantiles_of;
using syncspawn::bench::Row;
using syncspawn::bench::Target;
using syncspawn::bench::threads_of;
using syncspawn::bench::WorkerProcess;

// ---- strace ---------------------------------------------------------------------------------------

bool is_traced(pid_t thread) {
    return syncspawn::detail::proc::status_number(thread, "TracerPid:").value_or(0) != 0;
}

class Strace {
public:
    Strace(pid_t process, const std::string& output) {
        std::string number = std::to_string(process);
        std::string words[] = {"strace", "-f", "-qq", "-o", output, "-p", number};
        std::vector<char*> arguments;
        for (std::string& word : words) {
            arguments.push_back(word.data());
        }
        arguments.push_back(nullptr);
        expect(posix_spawnp(&pid_, "strace", nullptr, nullptr, arguments.data(), environ) == 0,
               "there is no strace");
        const std::vector<pid_t> threads = threads_of(process);
        while (!std::all_of(threads.begin(), threads.end(), is_traced)) {
            expect(waitpid(pid_, nullptr, WNOHANG) == 0, "strace cannot attach");
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }
    ~Strace() {  // it lets go of the worker, and writes the rest of its output
        kill(pid_, SIGINT);
        waitpid(pid_, nullptr, 0);
    }
    Strace(const Strace&) = delete;
    Strace& operator=(const Strace&) = delete;

private:
    pid_t pid_ = -1;
};

// ---- counting -------------------------------------------------------------------------------------

using Calls = std::map<std::string, int>;  // how many by name

int sum_of(const Calls& calls) {
    return std::accumulate(calls.begin(), calls.end(), 0,
                           [](int sum, const auto& call) { return sum + call.second; });
}

struct Launches {
    std::vector<double> parent, child;  // calls, one number for each launch
    Calls last_parent, last_child;
};

// The name in "name(arguments...", empty for anything else, as the rest of a call begun earlier.
std::string call_in(const std::string& line) {
    const std::size_t size = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789");
    return size != std::string::npos && line[size] == '(' ? line.substr(0, size) : "";
}

// The method in the worker's read of an order, begun here or earlier; empty for anything else.
std::string order_in(const std::string& line) {
    for (const std::string begin : {"read(0, \"", "<... read resumed>\""}) {
        const std::size_t end = line.find(" 1\\n\", 256)");
        if (line.starts_with(begin) && end != std::string::npos) {
            return line.substr(begin.size(), end - begin.size());
        }
    }
    return "";
}

// Reads the lines of strace. The worker's read of an order and its write of the answer enclose a
// launch. A child is counted up to the execve of the program; what follows is not the launch any more.
class Counter {
public:
    explicit Counter(const std::vector<pid_t>& workers)
        : workers_(workers.begin(), workers.end()) {}

    void read(std::istream& lines) {
        pid_t thread = 0;
        for (std::string line; lines >> thread >> std::ws && std::getline(lines, line);) {
            add(thread, line);
        }
    }
    const std::map<std::string, Launches>& launches() const { return launches_; }

private:
    void add(pid_t thread, const std::string& line) {
        const bool is_workers = workers_.contains(thread);
        const std::string order = is_workers ? order_in(line) : "";
        const std::string call = call_in(line);
        if (!order.empty()) {
            method_ = order;
            parent_.clear();
            child_.clear();
        } else if (is_workers && line.starts_with("write(1, ") && !method_.empty()) {
            end_launch();
        } else if (is_workers && !call.empty()) {
            ++parent_[call];
        } else if (!call.empty() && !has_executed_) {
            ++child_[call];
            has_executed_ = call == "execve";
        }
    }

    void end_launch() {
        Launches& of = launches_[method_];
        of.parent.push_back(sum_of(parent_));
        of.child.push_back(sum_of(child_));
        of.last_parent = parent_;
        of.last_child = child_;
        method_.clear();
        has_executed_ = false;
    }

    std::set<pid_t> workers_;
    bool has_executed_ = false;  // the launched program
    std::string method_;
    Calls parent_, child_;
    std::map<std::string, Launches> launches_;
};

// ---- the program ----------------------------------------------------------------------------------

class TemporaryFile {
public:
    TemporaryFile() {
        const int fd = mkstemp(path_.data());
        expect(fd >= 0, "mkstemp failed");
        close(fd);
    }
    ~TemporaryFile() { unlink(path_.c_str()); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_ = std::filesystem::temp_directory_path() / "bench-calls.XXXXXX";
};

std::map<std::string, Launches> count(const std::string& name,
                                      const std::vector<std::string>& methods, int launches) {
    std::string reason;
    auto worker = WorkerProcess::start(name, {}, reason);
    if (!worker) {
        std::printf("left out: %s: %s\n", name.c_str(), reason.c_str());
        return {};
    }
    for (const std::string& method : methods) {
        (void)worker->launch(method, 2);
    }
    const TemporaryFile output;
    Counter counter(threads_of(worker->pid()));
    {
        const Strace strace(worker->pid(), output.path());
        for (const std::string& method : methods) {
            for (int number = 0; number < launches; ++number) {
                (void)worker->launch(method, 1);
            }
        }
    }
    std::ifstream lines(output.path());
    counter.read(lines);
    return counter.launches();
}

std::string in_words(const Calls& calls) {
    std::string words;
    for (const auto& [name, times] : calls) {
        words += (words.empty() ? "" : ", ") + name;
        if (times > 1) {
            words += " x" + std::to_string(times);
        }
    }
    return words;
}

// On both sides, with what the hooks themselves call.
std::vector<Target> targets_of(const std::map<std::string, Launches>& all) {
    std::vector<Target> targets;
    for (const auto& [method, most] : {std::pair("syncspawn_shared", 14.0),
                                       {"syncspawn_shared_hooks", 26.0},
                                       {"syncspawn_shared_user", 32.0}}) {
        if (const auto found = all.find(method); found != all.end()) {
            const Launches& of = found->second;
            targets.push_back({std::string("system calls, ") + method,
                               quantiles_of(of.parent).median + quantiles_of(of.child).median,
                               Target::Bound::at_most, most});
        }
    }
    if (const auto found = all.find("sandbox_all_unmasked"); found != all.end()) {
        targets.push_back({"system calls of the child, sandbox_all_unmasked",
                           quantiles_of(found->second.child).median, Target::Bound::at_most, 120});
    }
    return targets;
}

std::vector<Row> report(const std::map<std::string, Launches>& all) {
    std::vector<Row> rows;
    for (const auto& [method, of] : all) {
        std::vector<double> both;
        std::transform(of.parent.begin(), of.parent.end(), of.child.begin(),
                       std::back_inserter(both), std::plus<>());
        rows.push_back({method, "10", "small", "calls_parent", "1", quantiles_of(of.parent)});
        rows.push_back({method, "10", "small", "calls_child", "1", quantiles_of(of.child)});
        rows.push_back({method, "10", "small", "calls_both", "1", quantiles_of(both)});
        std::printf("%-24s %8.0f %8.0f %8.0f\n", method.c_str(), quantiles_of(of.parent).median,
                    quantiles_of(of.child).median, quantiles_of(both).median);
    }
    for (const auto& [method, of] : all) {
        std::printf("\n%s, its last launch\n  parent: %s\n  child: %s\n", method.c_str(),
                    in_words(of.last_parent).c_str(), in_words(of.last_child).c_str());
    }
    return rows;
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = syncspawn::bench::options_of(argc, argv);
    if (std::system("strace -V >/dev/null 2>&1") != 0) {
        std::printf("left out: system calls: there is no strace\n");
        return finish(options, "calls", {}, {});
    }
    const int launches = options.is_quick ? 20 : 100;
    auto all = count("native",
                     {"syncspawn_shared", "syncspawn_shared_hooks", "syncspawn_copied",
                      "syncspawn_copied_hooks", "syncspawn_shared_user", "vfork_execve",
                      "posix_spawn", "fork_execve", "fork_execve_hooks", "clone_user", "fork_user"},
                     launches);
    all.merge(count(
        "sandbox",
        {"sandbox_all", "sandbox_all_unmasked", "sandbox_policy", "sandbox_landlock", "bare_all"},
        launches));
    all.merge(count("boost", {"boost"}, launches));
    all.merge(count("libuv", {"libuv"}, launches));
    std::printf("%-24s %8s %8s %8s\n", "system calls of a launch", "parent", "child", "both");
    return finish(options, "calls", report(all), targets_of(all));
}
