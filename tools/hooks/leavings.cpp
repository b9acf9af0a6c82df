#include "leavings.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <string>

#include "parent_hook.hpp"

namespace syncspawn::tools {
namespace {

constexpr auto grace = std::chrono::seconds(1);
constexpr int most_waves = 100;
constexpr auto of_pidfd = static_cast<idtype_t>(3);  // P_PIDFD, which not every C library has

UniqueFd open_process(pid_t pid) {
    return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

std::string read_file(const std::string& path) {
    const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    std::array<char, 4096> piece{};
    for (;;) {
        const ssize_t size = read(file.get(), piece.data(), piece.size());
        if (size <= 0) {
            return text;
        }
        text.append(piece.data(), static_cast<std::size_t>(size));
    }
}

// Where the numbers in /proc are those of an outer pid namespace, it is not found.
bool comes_of_hook(pid_t pid, pid_t child) {
    const std::string environment = '\0' + read_file("/proc/" + std::to_string(pid) + "/environ");
    const std::string wanted =
        std::string("\0", 1) + child_pid_variable + "=" + std::to_string(child) + '\0';
    return environment.find(wanted) != std::string::npos;
}

bool is_reaped(const UniqueFd& process, std::chrono::steady_clock::time_point deadline) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd watched{process.get(), POLLIN, 0};
    if (poll(&watched, 1, std::max(0, static_cast<int>(left.count()))) <= 0) {
        return false;
    }
    // Somebody may have reaped it before.
    siginfo_t ended{};
    waitid(of_pidfd, static_cast<id_t>(process.get()), &ended, WEXITED | WNOHANG);
    return true;
}

}  // namespace

void Leavings::find(pid_t child) {
    for (const pid_t pid : descendants_.children()) {
        if (pid != child) {
            add(pid);
        }
    }
}

// What is there by now, the program's orphans among them.
void Leavings::find_by_environment(pid_t child) {
    for (const pid_t pid : descendants_.children()) {
        if (comes_of_hook(pid, child)) {
            add(pid);
        }
    }
}

void Leavings::add(pid_t pid) {
    if (UniqueFd process = open_process(pid)) {
        found_.push_back(std::move(process));
    }
}

void Leavings::signal_found(int signal) {
    for (const UniqueFd& process : found_) {
        syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0);
    }
    const auto deadline = std::chrono::steady_clock::now() + grace;
    std::erase_if(found_, [&](const UniqueFd& process) { return is_reaped(process, deadline); });
}

// Wave by wave: the orphans of one are the next.
void Leavings::end(pid_t child) {
    find_by_environment(child);
    if (!found_.empty()) {
        signal_found(SIGTERM);
        find_by_environment(child);
    }
    for (int wave = 0; !found_.empty() && wave < most_waves; ++wave) {
        signal_found(SIGKILL);
        find_by_environment(child);
    }
    found_.clear();
}

}  // namespace syncspawn::tools
