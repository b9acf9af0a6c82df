#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <boost/version.hpp>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <utility>

#include <syncspawn/boost/synced_launcher.hpp>

#include "support/boost.hpp"
#if BOOST_VERSION < 108400
#include <boost/process/v2/impl/environment.ipp>  // #312
#endif

// A launcher as an object: used again, copied, and asked for the barrier that it has handed over.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

// Changes all that a hook may change of its launcher, on both sides.
struct ChangesAll {
    BoostError of_setup{};
    BoostError of_child_waiting{};
    int fd = -1;

    BoostError on_setup(Ours& launcher, const Path&, const char* const*& argv) {
        launcher.env = environment;
        launcher.fd_whitelist.push_back(fd);
        launcher.options.working_directory = "/";
        argv = arguments;
        return of_setup;
    }
    BoostError on_exec_setup(Ours& launcher, const Path&, const char* const*) {
        launcher.fd_whitelist.clear();
        launcher.fd_whitelist = {1, 2};
        return {};
    }
    BoostError on_child_waiting(Ours& launcher, const Path&, const char* const*) const {
        launcher.fd_whitelist.clear();
        launcher.options.setup.within = 1ns;
        return of_child_waiting;
    }

    const char* environment[2] = {"NAME=changed", nullptr};
    const char* arguments[4] = {"changed", "-c", "echo $0 $NAME; pwd", nullptr};
};

// What a hook may change of a launcher.
struct Settings {
    explicit Settings(const Ours& launcher)
        : env(launcher.env),
          fd_whitelist(launcher.fd_whitelist),
          working_directory(launcher.options.working_directory),
          has_timeout(launcher.options.setup.within) {}
    bool operator==(const Settings&) const = default;

    const char* const* env;
    std::vector<int> fd_whitelist;
    std::string working_directory;
    bool has_timeout;
};

// Meets its parent, as the parent sees it.
template <class Executor>
std::string meet(asio::io_context& context,
                 syncspawn::for_boost::BasicAsyncBarrier<Executor>& barrier) {
    std::string result = "not completed";
    barrier.async_place_and_sync([&](BoostError error, Outcome outcome) {
        result = error ? told(error) : to_string(outcome);
    });
    context.restart();
    context.run();
    return result;
}

}  // namespace

TEST_CASE("a launcher is used again, each time with arguments and initializers of that launch") {
    Ours launcher;
    for (const std::string number : {"1", "2", "3"}) {
        CHECK(run_shell(launcher, "echo $NAME; exit " + number,
                        v2::process_environment(Texts{"NAME=x" + number})) ==
              "exit " + number + ": x" + number + "\n");
    }
    for (const char* directory : {"/", "/proc", "/usr"}) {
        CHECK(run(launcher, "/bin/pwd", Texts{}, v2::process_start_dir(directory)) ==
              std::string("exit 0: ") + directory + "\n");
    }
}

TEST_CASE("what hooks do to the launcher lasts for one launch, whatever comes of it") {
    const char* const environment[] = {"NAME=own", nullptr};
    Ours launcher;
    launcher.env = environment;
    launcher.fd_whitelist = {2, 1, 0};
    launcher.options.working_directory = "/proc";
    const Settings before(launcher);
    const UniqueFd fd(fcntl(2, F_DUPFD, 20));
    for (int round = 0; round < 3; ++round) {
        ChangesAll initializer{.fd = fd.get()};
        CHECK(run_shell(launcher, "unused", initializer) == "exit 0: changed changed\n/\n");
        CHECK(Settings(launcher) == before);
        initializer.of_child_waiting = own_error(2);
        CHECK(run_shell(launcher, "unused", initializer) == "own 2");
        CHECK(Settings(launcher) == before);
        initializer.of_setup = own_error(1);
        CHECK(run_shell(launcher, "unused", initializer) == "own 1");
        CHECK(Settings(launcher) == before);
        CHECK(run(launcher, "/nowhere", Texts{}, v2::process_start_dir("/")) == "system 2");
        CHECK(Settings(launcher) == before);
        CHECK(run_shell(launcher, "echo $0 $NAME; pwd") == "exit 0: /bin/sh own\n/proc\n");
        CHECK(Settings(launcher) == before);
    }
}

TEST_CASE("each launch tells its own pid and its own error") {
    Ours launcher;
    asio::io_context context;
    auto first = launcher(context, "/bin/true", {});
    CHECK(launcher.pid == first.id());
    auto second = launcher(context, "/bin/true", {});
    CHECK(launcher.pid == second.id());
    CHECK(first.id() != second.id());
    BoostError error;
    (void)launcher(context, error, "/nowhere", {});
    CHECK(launcher.error().code().value() == ENOENT);
    auto third = launcher(context, error, "/bin/true", {});
    CHECK_FALSE(error);
    CHECK_FALSE(launcher.error());
    CHECK(first.wait() + second.wait() + third.wait() == 0);
}

TEST_CASE("a copy is a launcher of its own") {
    std::string ran;
    const char* const environment[] = {"NAME=first", nullptr};
    Ours first;
    first.env = environment;
    first.step({.name = "first", .parent = [&](ParentSide&) { ran += "1"; }});
    Ours second = first;
    second.step({.name = "second", .parent = [&](ParentSide&) { ran += "2"; }});
    second.options.working_directory = "/";
    second.fd_whitelist = {1, 2};
    CHECK(run_shell(first, "echo $NAME") == "exit 0: first\n");
    CHECK(ran == "1");
    CHECK(run_shell(second, "echo $NAME; pwd") == "exit 0: first\n/\n");
    CHECK(ran == "112");
    CHECK(first.options.working_directory.empty());
    CHECK(first.fd_whitelist.size() == 3);
    first = second;
    CHECK(run_shell(first, "pwd") == "exit 0: /\n");
    CHECK(ran == "11212");
    CHECK(run(second, "/nowhere", Texts{}) == "system 2");
    CHECK_FALSE(first.error());
    const Ours third = second;
    CHECK(third.error().code().value() == ENOENT);
}

// The barrier beyond execve.

TEST_CASE("a barrier that was handed over is taken once, by whom one likes") {
    Ours launcher;
    launcher.options.readiness.hand_over = HandOver::barrier;
    asio::io_context context;
    CHECK_THROWS_AS(launcher.take_barrier(context), std::logic_error);
    auto process = launcher(context, helper("launch_meets"), {"3"});
    Ours copy = launcher;
    CHECK_THROWS_AS(copy.take_barrier(context), std::logic_error);
    auto barrier = launcher.take_barrier(context);
    static_assert(
        std::is_same_v<decltype(barrier.get_executor()), asio::io_context::executor_type>);
    CHECK_THROWS_AS(launcher.take_barrier(context), std::logic_error);
    CHECK(meet(context, barrier) == "reached");
    CHECK(barrier.barrier().place_and_sync() == Outcome::reached);
    CHECK(meet(context, barrier) == "reached");
    CHECK(process.wait() == 42);
    CHECK(meet(context, barrier) == "peer_gone");
}

TEST_CASE("each launch has a barrier of its own, and one that is not taken goes with the next") {
    Ours launcher;
    launcher.options.readiness.hand_over = HandOver::barrier;
    asio::io_context context;
    asio::any_io_executor executor = context.get_executor();
    auto first = launcher(context, helper("launch_meets"), {"1"});
    auto of_first = launcher.take_barrier(executor);
    auto second = launcher(context, helper("launch_meets"), {"1"});
    auto third = launcher(context, helper("launch_meets"), {"1"});
    auto of_third = launcher.take_barrier(executor);
    CHECK(second.wait() == 1);  // its parent's side was closed
    CHECK(meet(context, of_third) == "reached");
    CHECK(third.wait() == 42);
    CHECK(meet(context, of_first) == "reached");
    CHECK(first.wait() == 42);
    (void)launcher(context, helper("launch_meets"), {"1"});
    BoostError error;
    (void)launcher(context, error, "/nowhere", {});
    CHECK_THROWS_AS(launcher.take_barrier(context), std::logic_error);
}

TEST_CASE("a program is waited for until it is ready") {
    Ours launcher;
    launcher.options.readiness.within = 60s;
    asio::io_context context;
    SUBCASE("and goes on with the same barrier") {
        auto process = launcher(context, helper("launch_meets"), {"2"});
        auto barrier = launcher.take_barrier(context);
        CHECK(meet(context, barrier) == "reached");
        CHECK(process.wait() == 42);
    }
    SUBCASE("or ends before") {
        CHECK(end_of(launcher, helper("launch_readiness"), Texts{"exits"}) ==
              told(system_error_code(ECHILD)));
        CHECK(launcher.error().stage() == Stage::readiness);
        CHECK(launcher.error().status()->code() == 3);
    }
    SUBCASE("or aborts") {
        CHECK(end_of(launcher, helper("launch_readiness"), Texts{"aborts"}) ==
              told(system_error_code(ECANCELED)));
        CHECK(launcher.error().cause() == Cause::aborted);
    }
    SUBCASE("or takes too long") {
        launcher.options.readiness.within = 1ms;  // it never is
        CHECK(end_of(launcher, helper("launch_readiness"), Texts{"sleeps"}) ==
              told(system_error_code(ETIMEDOUT)));
        CHECK(launcher.error().cause() == Cause::timed_out);
    }
    CHECK(count_children() == 0);
}

TEST_CASE("a barrier is handed over beside all that the initializers do to the descriptors") {
    Ours launcher;
    launcher.options.readiness.within = 60s;
    struct FillsNumbers {
        BoostError on_setup(Stock& its, const Path&, const char* const*) {
            for (int number = 3; number < 40; ++number) {
                its.fd_whitelist.push_back(number);
            }
            return {};
        }
        BoostError on_exec_setup(Stock&, const Path&, const char* const*) {
            for (int number = 3; number < 40; ++number) {
                if (dup2(2, number) < 0) {
                    return system_error_code(errno);
                }
            }
            return {};
        }
    };
    CHECK(end_of(launcher, helper("launch_meets"), Texts{"1"}, FillsNumbers()) == "exit 42");
    const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    CHECK(end_of(launcher, helper("launch_meets"), Texts{"1"},
                 v2::posix::bind_fd(100, null.get())) == "exit 42");
    CHECK(end_of(launcher, helper("launch_meets"), Texts{"1"}, v2::process_environment({"A=1"})) ==
          "exit 42");
    launcher.fd_whitelist.clear();
    CHECK(end_of(launcher, helper("launch_meets"), Texts{"1"}) == "exit 42");
}

// glibc moves the environment as it grows.
TEST_CASE("a launcher that is kept has the environment that the process has by then") {
    Ours launcher;
    const Ours copy = launcher;
    for (int number = 0; number < 200; ++number) {
        setenv(("SYNCSPAWN_TEST_" + std::to_string(number)).c_str(), "x", 1);
    }
    const std::string count = "env | grep -c ^SYNCSPAWN_TEST_";
    CHECK(run_shell(launcher, count) == "exit 0: 200\n");
    Ours of_copy = copy;
    CHECK(run_shell(of_copy, count) == "exit 0: 200\n");
    for (int number = 0; number < 200; ++number) {
        unsetenv(("SYNCSPAWN_TEST_" + std::to_string(number)).c_str());
    }
    CHECK(run_shell(launcher, "env | grep -c ^SYNCSPAWN_TEST_") == "exit 1: 0\n");
}
