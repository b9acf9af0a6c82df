// What runs in the child between its start and its execve: system calls on memory that the step owns.

#include "child_parts.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace syncspawn::tools {
namespace {

// An environment as execve(2) takes it.
class PlainEnvironment {
public:
    explicit PlainEnvironment(const Environment& environment) : entries_(environment.entries()) {
        for (const std::string& entry : entries_) {
            pointers_.push_back(entry.c_str());
        }
        pointers_.push_back(nullptr);
    }
    PlainEnvironment(const PlainEnvironment&) = delete;
    PlainEnvironment& operator=(const PlainEnvironment&) = delete;
    ~PlainEnvironment() = default;

    [[nodiscard]] const char* const* get() const noexcept { return pointers_.data(); }

private:
    std::vector<std::string> entries_;
    std::vector<const char*> pointers_{};
};

// A directory to start in, and what the environment is then.
struct StartPlan {
    StartPlan(std::string first, const std::string& second, const Environment& environment)
        : wished(std::move(first)),
          home(second),
          at_home(Environment(environment).set("PWD", second)),
          at_root(Environment(environment).set("PWD", "/")) {}

    std::string wished;
    std::string home;
    PlainEnvironment at_home;
    PlainEnvironment at_root;
};

bool enter(const char* directory) noexcept {
    return *directory != '\0' && syscall(SYS_chdir, directory) == 0;
}

std::error_code start(ChildSide& side, const StartPlan& plan) noexcept {
    if (enter(plan.wished.c_str())) {
        return side.done();
    }
    if (enter(plan.home.c_str())) {
        side.replace_environment(plan.at_home.get());
        return side.done();
    }
    side.replace_environment(plan.at_root.get());
    return enter("/") ? side.done() : side.fail("chdir to '/'");
}

// In a copy of the child's memory, of which nobody has heard: no handler runs in it, for all it does is end.
std::error_code expect_refusal(ChildSide& side) noexcept {
    const long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, 0);
    if (child == 0) {
        for (;;) {
            syscall(SYS_exit_group, 0);
        }
    }
    if (child < 0) {
        return side.done();
    }
    while (syscall(SYS_wait4, child, nullptr, 0, nullptr) < 0 && errno == EINTR) {
    }
    return side.fail(ECANCELED, "creation of new user namespaces was not disabled as requested");
}

}  // namespace

Step assert_no_user_namespaces() {
    return {.name = "no user namespaces", .child = shared_memory(expect_refusal)};
}

Step start_in(const std::string& directory, const Environment& environment) {
    auto plan = std::make_shared<const StartPlan>(directory, environment.get("HOME").value_or(""),
                                                  environment);
    return {.name = "start directory",
            .child = shared_memory(
                [plan = std::move(plan)](ChildSide& side) { return start(side, *plan); })};
}

}  // namespace syncspawn::tools
