#include <syncspawn/boost/barrier_initializer.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/process/v2/posix/fork_and_forget_launcher.hpp>
#include <boost/process/v2/posix/vfork_launcher.hpp>
#include <boost/version.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <utility>

#include "support/boost.hpp"
#if BOOST_VERSION < 108400
#include <boost/process/v2/impl/environment.ipp>  // #312
#endif

// A barrier beyond execve for a launcher that knows nothing of it, and for ours.

using namespace syncspawn;
using namespace syncspawn::testing;
using syncspawn::for_boost::BarrierInitializer;

namespace {

using ForkAndForget = v2::posix::fork_and_forget_launcher;

constexpr const char* variables[]{"SYNCSPAWN_BARRIER_LOCAL_FD", "SYNCSPAWN_BARRIER_REMOTE_FD",
                                  "SYNCSPAWN_BARRIER_PIPE_FD", "SYNCSPAWN_BARRIER_STATE"};

// Those that a process has which was itself handed a barrier.
class OuterVariables {
public:
    OuterVariables() {
        for (const char* variable : variables) {
            setenv(variable, "outer", 1);
        }
    }
    OuterVariables(const OuterVariables&) = delete;
    OuterVariables& operator=(const OuterVariables&) = delete;
    ~OuterVariables() {
        for (const char* variable : variables) {
            unsetenv(variable);
        }
    }
};

// For test cases that hold for every launcher.
#define LAUNCHERS Stock, ForkAndForget, Ours

}  // namespace

TEST_CASE("a program of the stock library attaches and meets its parent") {
    asio::io_context context;
    BarrierInitializer barrier;
    v2::process process(context, helper("launch_meets"), {"3"}, barrier);
    for (int round = 0; round < 3; ++round) {
        REQUIRE(barrier.barrier().place_and_sync() == Outcome::reached);
    }
    CHECK(process.wait() == 42);
    CHECK(barrier.barrier().place_and_sync() == Outcome::peer_gone);
}

TEST_CASE_TEMPLATE("a program attaches and meets its parent", Launcher, LAUNCHERS) {
    asio::io_context context;
    BarrierInitializer barrier;
    Launcher launcher;
    auto process = launcher(context.get_executor(), helper("launch_meets"), Texts{"2"}, barrier);
    REQUIRE(barrier.barrier().place_and_sync() == Outcome::reached);
    REQUIRE(barrier.barrier().place_and_sync() == Outcome::reached);
    CHECK(process.wait() == 42);
    CHECK(barrier.barrier().place_and_sync() == Outcome::peer_gone);
}

TEST_CASE("a program whose launcher shares its memory with the child meets its parent") {
    asio::io_context context;
    BarrierInitializer barrier;
    v2::posix::vfork_launcher launcher;
    auto process = launcher(context.get_executor(), helper("launch_meets"), Texts{"1"}, barrier);
    REQUIRE(barrier.barrier().place_and_sync() == Outcome::reached);
    CHECK(process.wait() == 42);
}

TEST_CASE_TEMPLATE("the program may be hostile, and is not trusted with the flags of the barrier",
                   Launcher, LAUNCHERS) {
    asio::io_context context;
    BarrierInitializer barrier;
    Launcher launcher;
    auto process = launcher(context.get_executor(), helper("launch_meets"), Texts{"1"}, barrier);
    Barrier& side = barrier.barrier();
    const int counter = side.native()->local_fd;
    REQUIRE(fcntl(counter, F_SETFL, O_RDWR) == 0);  // as the program could
    REQUIRE(side.place() == Outcome::reached);
    CHECK((fcntl(counter, F_GETFL) & O_NONBLOCK) != 0);
    REQUIRE(side.sync() == Outcome::reached);
    CHECK(process.wait() == 42);
}

TEST_CASE_TEMPLATE("a program that says it is ready is held until the parent is there", Launcher,
                   LAUNCHERS) {
    asio::io_context context;
    BarrierInitializer barrier;
    Launcher launcher;
    auto process =
        launcher(context.get_executor(), helper("launch_readiness"), Texts{"is ready"}, barrier);
    CHECK(barrier.barrier().wait_next() == Outcome::reached);
    CHECK(is_blocked_in_a_wait(process.id()));
    CHECK(process.running());
    CHECK(barrier.barrier().place() == Outcome::reached);
    CHECK(process.wait() == 42);
}

TEST_CASE_TEMPLATE("the parent sees an abort and an end of the program", Launcher, LAUNCHERS) {
    asio::io_context context;
    Launcher launcher;
    BarrierInitializer barrier;
    SUBCASE("that aborts") {
        auto process =
            launcher(context.get_executor(), helper("launch_readiness"), Texts{"aborts"}, barrier);
        CHECK(barrier.barrier().place_and_sync() == Outcome::aborted_there);
    }
    SUBCASE("that ends without having attached") {
        auto process =
            launcher(context.get_executor(), helper("launch_readiness"), Texts{"exits"}, barrier);
        CHECK(barrier.barrier().place_and_sync() == Outcome::peer_gone);
        CHECK(process.wait() == 3);
    }
    SUBCASE("that is killed") {
        auto process = launcher(context.get_executor(), helper("launch_readiness"),
                                Texts{"is killed"}, barrier);
        CHECK(barrier.barrier().place_and_sync() == Outcome::peer_gone);
        CHECK(process.wait() == SIGKILL);
    }
}

TEST_CASE_TEMPLATE("the program sees the end of the parent's side", Launcher, LAUNCHERS) {
    asio::io_context context;
    Launcher launcher;
    std::optional<BarrierInitializer> barrier(std::in_place);
    auto process = launcher(context.get_executor(), helper("launch_meets"), Texts{"1"}, *barrier);
    barrier.reset();
    CHECK(process.wait() == 1);
}

TEST_CASE_TEMPLATE("the hook is called once, with the parent's side of a program that runs",
                   Launcher, LAUNCHERS) {
    asio::io_context context;
    int calls = 0;
    std::string met = "not called";
    BarrierInitializer barrier([&](Barrier& side) {
        ++calls;
        met = to_string(side.place_and_sync());  // only the program can do that with it
    });
    Launcher launcher;
    auto process = launcher(context.get_executor(), helper("launch_meets"), Texts{"2"}, barrier);
    CHECK(calls == 1);
    CHECK(met == "reached");
    CHECK(barrier.barrier().place_and_sync() == Outcome::reached);
    CHECK(process.wait() == 42);
}

TEST_CASE_TEMPLATE("the barrier can be given to an asynchronous one", Launcher, LAUNCHERS) {
    asio::io_context context;
    std::optional<BarrierInitializer> barrier(std::in_place);
    Launcher launcher;
    auto process = launcher(context.get_executor(), helper("launch_meets"), Texts{"1"}, *barrier);
    syncspawn::for_boost::AsyncBarrier async(context, std::move(barrier->barrier()));
    barrier.reset();
    std::string met;
    async.async_place_and_sync([&](BoostError error, Outcome outcome) {
        CHECK_FALSE(error);
        met = to_string(outcome);
    });
    context.run();
    CHECK(met == "reached");
    CHECK(process.wait() == 42);
}

TEST_CASE_TEMPLATE("there is no barrier before a launch, and none after one that failed", Launcher,
                   Stock, Ours) {
    BarrierInitializer barrier;
    CHECK_THROWS_AS((void)barrier.barrier(), std::logic_error);
    Launcher launcher;
    CHECK(end_of(launcher, "/nowhere", Texts{}, barrier) == "system 2");
    CHECK_THROWS_AS((void)barrier.barrier(), std::logic_error);
    Launcher another;
    CHECK(end_of(another, "/bin/true", Texts{}, barrier) == "exit 0");
    CHECK_NOTHROW((void)barrier.barrier());
    Launcher third;
    CHECK(end_of(third, "/nowhere", Texts{}, barrier) == "system 2");
    CHECK_THROWS_AS((void)barrier.barrier(), std::logic_error);
}

TEST_CASE_TEMPLATE("an initializer can be used for the next launch", Launcher, LAUNCHERS) {
    asio::io_context context;
    BarrierInitializer barrier;
    for (int round = 0; round < 3; ++round) {
        Launcher launcher;
        auto process =
            launcher(context.get_executor(), helper("launch_meets"), Texts{"2"}, barrier);
        CHECK(barrier.barrier().place_and_sync() == Outcome::reached);
        CHECK(barrier.barrier().place_and_sync() == Outcome::reached);
        CHECK(process.wait() == 42);
    }
}

TEST_CASE_TEMPLATE("two programs have a barrier each", Launcher, LAUNCHERS) {
    asio::io_context context;
    BarrierInitializer first;
    BarrierInitializer second;
    Launcher launcher_of_first;
    Launcher launcher_of_second;
    auto process_of_first =
        launcher_of_first(context.get_executor(), helper("launch_meets"), Texts{"1"}, first);
    auto process_of_second =
        launcher_of_second(context.get_executor(), helper("launch_meets"), Texts{"1"}, second);
    CHECK(second.barrier().place_and_sync() == Outcome::reached);
    CHECK(process_of_second.wait() == 42);
    CHECK(second.barrier().place_and_sync() == Outcome::peer_gone);
    CHECK(process_of_first.running());
    CHECK(first.barrier().place_and_sync() == Outcome::reached);
    CHECK(process_of_first.wait() == 42);
}

TEST_CASE_TEMPLATE("behind process_environment both have their variables", Launcher, LAUNCHERS) {
    asio::io_context context;
    BarrierInitializer barrier(
        [](Barrier& side) { CHECK(side.place_and_sync() == Outcome::reached); });
    asio::readable_pipe output(context);
    Launcher launcher;
    auto process = launcher(context.get_executor(), helper("launch_meets"),
                            Texts{"1", "echo $NAME"}, v2::process_environment({"NAME=value"}),
                            barrier, v2::process_stdio{nullptr, output, {}});
    CHECK(read_all(output.native_handle()) == "value\n");
    CHECK(process.wait() == 42);
}

TEST_CASE("before process_environment the launch fails, rather than to lose the barrier") {
    BarrierInitializer barrier;
    Stock stock;
    CHECK(end_of(stock, helper("launch_meets"), Texts{"1"}, barrier,
                 v2::process_environment({"NAME=value"})) == told(system_error_code(EINVAL)));
    CHECK_THROWS_AS((void)barrier.barrier(), std::logic_error);
    CHECK(count_children() == 0);
}

TEST_CASE("with our own launcher it is the same before process_environment") {
    asio::io_context context;
    BarrierInitializer barrier;
    Ours launcher;
    auto process = launcher(context, helper("launch_meets"), {"1"}, barrier,
                            v2::process_environment({"NAME=value"}));
    CHECK(barrier.barrier().place_and_sync() == Outcome::reached);
    CHECK(process.wait() == 42);
    CHECK(launcher.options.readiness.hand_over == HandOver::nothing);
    CHECK_THROWS_AS(launcher.take_barrier(context), std::logic_error);
}

TEST_CASE_TEMPLATE("a barrier that this process itself was handed is not passed on", Launcher,
                   LAUNCHERS) {
    const OuterVariables outer;
    asio::io_context context;
    asio::readable_pipe output(context);
    Launcher launcher;
    const Texts print{"-c",
                      "env | grep ^SYNCSPAWN_BARRIER_ | grep -v =outer$ | wc -l; "
                      "env | grep =outer$ | wc -l; echo $SYNCSPAWN_BARRIER_LOCAL_FD"};
    BarrierInitializer barrier;
    auto process = launcher(context.get_executor(), "/bin/sh", print, barrier,
                            v2::process_stdio{nullptr, output, {}});
    CHECK(read_all(output.native_handle()).starts_with("4\n0\n"));
    CHECK(process.wait() == 0);
    BarrierInitializer another;
    Launcher next;
    auto meeting = next(context.get_executor(), helper("launch_meets"), Texts{"1"}, another);
    CHECK(another.barrier().place_and_sync() == Outcome::reached);
    CHECK(meeting.wait() == 42);
}

// Ours alone: up to 1.84 the stock launcher lets others through as well.
TEST_CASE("the program gets three descriptors of the barrier and nothing else of it") {
    const auto count = [](const std::string& output) {
        return std::count(output.begin(), output.end(), ' ');
    };
    const std::string program = helper("launch_descriptors");
    Ours launcher;
    BarrierInitializer barrier;
    CHECK(count(run(launcher, program, Texts{})) + 3 ==
          count(run(launcher, program, Texts{}, barrier)));
    CHECK(barrier.barrier().place_and_sync() == Outcome::peer_gone);
}

TEST_CASE_TEMPLATE("no descriptor is left, however the launch ends", Launcher, Stock, Ours) {
    const auto launch = [](const Path& exe) {
        Launcher launcher;
        BarrierInitializer barrier;
        return end_of(launcher, exe, Texts{}, barrier);
    };
    (void)launch("/bin/true");  // what is kept for later launches
    const auto descriptors = open_descriptors();
    for (int round = 0; round < 50; ++round) {
        CHECK(launch("/bin/true") == "exit 0");
        CHECK(launch("/nowhere") == "system 2");
    }
    CHECK(open_descriptors() == descriptors);
    CHECK(count_children() == 0);
}

TEST_CASE("with our own launcher a failed launch leaves nothing in the initializer") {
    Ours launcher;
    CHECK(end_of(launcher, "/bin/true", Texts{}) == "exit 0");
    const auto descriptors = open_descriptors();
    BarrierInitializer barrier;
    CHECK(end_of(launcher, "/nowhere", Texts{}, barrier) == "system 2");
    CHECK(open_descriptors() == descriptors);
}

TEST_CASE("with our own launcher it goes well with readiness and with shared memory") {
    asio::io_context context;
    Ours launcher;
    launcher.options.readiness.within = std::chrono::seconds(60);
    BarrierInitializer barrier;
    auto process = launcher(context, helper("launch_meets"), {"2"}, barrier);
    // The first meeting was "ready".
    CHECK(barrier.barrier().place_and_sync() == Outcome::reached);
    CHECK(process.wait() == 42);
}
