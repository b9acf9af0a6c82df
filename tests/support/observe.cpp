#include "support/observe.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "support/peer.hpp"

namespace syncspawn::testing {
namespace {

std::string in_proc(pid_t pid, const char* file) {
    return "/proc/" + std::to_string(pid) + "/" + file;
}

// Looks again and again until `holds`, for as long as the peers' own watchdog lets them live.
template <class Condition>
bool comes_true(Condition holds) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(watchdog_seconds);
    while (!holds()) {
        if (std::chrono::steady_clock::now() > give_up) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    return true;
}

}  // namespace

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string value_in(const std::string& path, const std::string& key) {
    std::istringstream lines(read_file(path));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(key + ":")) {
            const auto first = line.find_first_not_of(" \t", key.size() + 1);
            return first == std::string::npos ? "" : line.substr(first);
        }
    }
    return "";
}

char state_of(pid_t pid) {
    const std::string stat = read_file(in_proc(pid, "stat"));
    const auto end_of_name = stat.rfind(')');
    return end_of_name == std::string::npos ? '\0' : stat.at(end_of_name + 2);
}

long system_call_of(pid_t pid) {
    const std::string text = read_file(in_proc(pid, "syscall"));
    return text.empty() || text.front() < '0' || text.front() > '9' ? -1 : std::atol(text.c_str());
}

long sleeps_of(pid_t pid) {
    return std::atol(value_in(in_proc(pid, "status"), "voluntary_ctxt_switches").c_str());
}

bool sleeps_in_one_of(pid_t pid, std::initializer_list<long> system_calls) {
    bool is_gone = false;
    const bool came = comes_true([&] {
        const char state = state_of(pid);
        is_gone = state == '\0' || state == 'Z';
        return is_gone || (state == 'S' && std::ranges::find(system_calls, system_call_of(pid)) !=
                                               system_calls.end());
    });
    return came && !is_gone;
}

bool comes_to_state(pid_t pid, char state) {
    return comes_true([&] { return state_of(pid) == state; });
}

std::vector<int> open_descriptors() {
    std::vector<int> found;
    DIR* directory = opendir("/proc/self/fd");
    while (const dirent* entry = readdir(directory)) {
        const int fd = std::atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd != dirfd(directory)) {
            found.push_back(fd);
        }
    }
    closedir(directory);
    std::sort(found.begin(), found.end());
    return found;
}

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

bool is_close_on_exec(int fd) { return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

std::uint64_t eventfd_count(int fd) {
    const std::string text = value_in("/proc/self/fdinfo/" + std::to_string(fd), "eventfd-count");
    return std::strtoull(text.c_str(), nullptr, 16);
}

void await_event(int fd) noexcept {
    pollfd watched{fd, POLLIN, 0};
    while (poll(&watched, 1, -1) < 0 && errno == EINTR) {
    }
}

}  // namespace syncspawn::testing
