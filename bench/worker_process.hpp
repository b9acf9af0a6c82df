#pragma once

#include <sched.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

// The driver's end of a worker (worker.hpp): a program that launches on demand.

namespace syncspawn::bench {

struct Ballast {
    int mib = 10;
    std::string pages = "small";
};

class WorkerProcess {
public:
    // "native", "boost", "libuv", "go", "python". None if it was not built or cannot run here;
    // `reason` then says why. Returns once the ballast is there.
    static std::optional<WorkerProcess> start(const std::string& name, const Ballast& ballast,
                                              std::string& reason);

    WorkerProcess(WorkerProcess&& other) noexcept;
    WorkerProcess& operator=(WorkerProcess&&) = delete;
    WorkerProcess(const WorkerProcess&) = delete;
    WorkerProcess& operator=(const WorkerProcess&) = delete;
    ~WorkerProcess();  // ends it, and waits for its end

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] const std::vector<std::string>& methods() const { return methods_; }
    [[nodiscard]] bool has(const std::string& method) const;
    // What share of the ballast is made of huge pages.
    [[nodiscard]] double share_of_huge_pages() const;

    // Nanoseconds of each launch.
    std::vector<double> launch(const std::string& method, int count);
    // For all threads that it has now; those that they start inherit it.
    void allow(const cpu_set_t& cpus) const;

private:
    WorkerProcess(pid_t pid, int input, int output, int mib)
        : pid_(pid), input_(input), output_(output), mib_(mib) {}
    // Empty if it has ended.
    std::string hear(const std::string& about);

    pid_t pid_;
    int input_, output_;
    int mib_;
    std::vector<std::string> methods_;
};

// Beside this program: the workers, and what they launch.
std::string helper(const std::string& name);
// The numbers of the threads of a process.
std::vector<pid_t> threads_of(pid_t process);

}  // namespace syncspawn::bench
