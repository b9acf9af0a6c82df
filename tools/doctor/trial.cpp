#include "trial.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace syncspawn::tools {
namespace {

constexpr const char* last_step = "enough";

bool is_older_than(const KnownCall& call) {
    utsname about{};
    if (uname(&about) < 0) {
        return true;
    }
    char* point = about.release;
    const long major = std::strtol(about.release, &point, 10);
    const long minor = *point == '.' ? std::strtol(point + 1, nullptr, 10) : 0;
    return std::pair(major, minor) < std::pair<long, long>(call.major, call.minor);
}

}  // namespace

Answer tried_in_child(const std::function<int()>& attempt) {
    // No SIGCHLD at its end: somebody may ignore that, and then there is no status.
    const auto child =
        static_cast<pid_t>(syscall(SYS_clone, 0, nullptr, nullptr, nullptr, nullptr));
    if (child < 0) {
        throw std::system_error(errno, std::system_category(), "clone");
    }
    if (child == 0) {
        constexpr rlimit no_core_dump{0, 0};
        setrlimit(RLIMIT_CORE, &no_core_dump);
        _exit(attempt());
    }
    int status = 0;
    while (waitpid(child, &status, __WALL) < 0) {
        if (errno != EINTR) {
            return {.error = errno};
        }
    }
    if (WIFSIGNALED(status)) {
        const bool is_filter = WTERMSIG(status) == SIGSYS;
        return {.error = is_filter ? EPERM : EIO, .is_killed = is_filter};
    }
    return {.error = WEXITSTATUS(status)};
}

bool has_seccomp_filter() { return prctl(PR_GET_SECCOMP) == 2; }

bool is_filters_answer(const Answer& answer, const KnownCall& call) {
    return answer.is_killed ||
           (answer.error == ENOSYS && has_seccomp_filter() && !is_older_than(call));
}

sandbox::Ability judged(const Answer& answer, const KnownCall& call, const std::string& other_cause,
                        const std::string& other_remedy) {
    if (answer.error == 0) {
        return {};
    }
    if (answer.error == ENOSYS && !is_filters_answer(answer, call)) {
        return refusal(ENOSYS, call.name, "this kernel does not have that call",
                       "Linux " + std::to_string(call.major) + "." + std::to_string(call.minor));
    }
    if (!other_cause.empty() && !is_filters_answer(answer, call)) {
        return refusal(answer.error, call.name, other_cause, other_remedy);
    }
    return has_seccomp_filter() || answer.is_killed
               ? refusal(answer.error, call.name, "a seccomp filter of this process refuses it",
                         "allow it in that filter (Docker: --security-opt seccomp=...)")
               : refusal(answer.error, call.name, "a security module refuses it",
                         "look at the kernel's log");
}

sandbox::Ability refusal(int error, std::string call, std::string cause, std::string remedy) {
    return {.refusal = {error, std::system_category()},
            .call = std::move(call),
            .cause = std::move(cause),
            .remedy = std::move(remedy)};
}

SpawnError error_of_steps(SyncedSpawner spawner) {
    spawner.step({.name = last_step, .child = shared_memory([](ChildSide& side) {
                                         return side.fail(ECANCELED,
                                                          "all that was asked for is done");
                                     })});
    SpawnOptions options = spawner.options();
    options.setup.within = longest_launch;
    SpawnError error;
    const Process process = spawner.with(std::move(options)).spawn(error);
    return error.stage() == Stage::step && error.step() == last_step ? SpawnError() : error;
}

}  // namespace syncspawn::tools
