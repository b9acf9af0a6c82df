#include "names.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <system_error>

#include "barrier/linux/proc.hpp"

namespace syncspawn::sandbox {
namespace {

constexpr std::array prefixes{std::string_view("syncspawn-launch-"),
                              std::string_view("syncspawn-caller-"),
                              std::string_view("syncspawn-trial-")};

std::string_view prefix_of(CgroupUse use) noexcept {
    return prefixes[static_cast<std::size_t>(use)];
}

std::int64_t start_of(std::int64_t process) noexcept {
    const auto start = detail::proc::start_time_of(static_cast<pid_t>(process));
    return static_cast<std::int64_t>(start.value_or(0));
}

// Takes a number, and the "-" behind it.
std::int64_t take_number(std::string_view& text) noexcept {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (error != std::errc() || !text.starts_with('-')) {
        return 0;
    }
    text.remove_prefix(1);
    return number;
}

}  // namespace

std::string name_of_cgroup(CgroupUse use, std::uint64_t number) {
    return std::string(prefix_of(use)) + std::to_string(getpid()) + "-" +
           std::to_string(start_of(getpid())) + "-" +
           std::to_string(detail::proc::pid_namespace()) + "-" + std::to_string(number);
}

bool is_name_of(CgroupUse use, std::string_view name) noexcept {
    return name.starts_with(prefix_of(use));
}

bool is_of_dead_process(std::string_view name) noexcept {
    for (const std::string_view prefix : prefixes) {
        if (!name.starts_with(prefix)) {
            continue;
        }
        name.remove_prefix(prefix.size());
        const std::int64_t process = take_number(name);
        const std::int64_t start = take_number(name);
        const std::int64_t pid_namespace = take_number(name);
        if (process <= 0 || start <= 0 || pid_namespace != detail::proc::pid_namespace() ||
            !detail::proc::is_of_this_pid_namespace()) {
            return false;
        }
        const bool is_gone = kill(static_cast<pid_t>(process), 0) < 0 && errno == ESRCH;
        const std::int64_t present_start = start_of(process);
        return is_gone || (present_start != 0 && present_start != start);
    }
    return false;
}

}  // namespace syncspawn::sandbox
