// What docs/boost.md shows in pieces: each stands here between `// [NAME]` and `// [end]`, and runs.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/boost.hpp>
#include <syncspawn/steps.hpp>

#include "support/boost.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

using namespace std::chrono_literals;
using namespace syncspawn::testing;
using boost::system::error_code;
using boost::system::system_category;
using syncspawn::for_boost::async_run;
using syncspawn::for_boost::async_spawn;
using syncspawn::for_boost::async_wait_exit;

namespace {

// [a hook that may share memory]
struct Nice {
    static constexpr auto child_rules = syncspawn::ChildRules::shared_memory;

    error_code on_exec_setup(auto&, const auto&, auto&) {
        if (setpriority(PRIO_PROCESS, 0, 10) < 0) {
            return {errno, system_category()};
        }
        return {};
    }
};
// [end]

// [a session]
asio::awaitable<int> session(const syncspawn::SyncedSpawner& spawner) {
    const auto executor = co_await asio::this_coro::executor;
    syncspawn::Process worker = co_await async_spawn(executor, spawner, asio::use_awaitable);
    syncspawn::for_boost::AsyncBarrier barrier(executor, worker);
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    const auto outcome = co_await barrier.async_place_and_sync(deadline, asio::use_awaitable);
    if (outcome != syncspawn::Outcome::reached) {
        worker.kill();
    }
    const auto status = co_await async_wait_exit(executor, worker, asio::use_awaitable);
    co_return status.shell_code();
}
// [end]

// [commands]
asio::awaitable<std::string> newest_tag(std::string directory) {
    const auto executor = co_await asio::this_coro::executor;
    const syncspawn::SyncedSpawner list({.program = "ls", .arguments = {directory}});
    const syncspawn::SyncedSpawner last({.program = "tail", .arguments = {"-n1"}});
    const std::vector<syncspawn::SyncedSpawner> pipeline = {list, last};
    const syncspawn::RunOptions options{.within = 10s};
    const auto result = co_await async_run(executor, pipeline, options, asio::use_awaitable);
    co_return result.success() ? result.output : result.error;
}
// [end]

// [streaming]
asio::awaitable<int> count_lines(
    const syncspawn::SyncedSpawner& spawner) {  // .output = Stdio::pipe()
    const auto executor = co_await asio::this_coro::executor;
    syncspawn::Process child = co_await async_spawn(executor, spawner, asio::use_awaitable);
    asio::readable_pipe output(executor, child.take_standard_output().release());
    std::string text;
    error_code end;
    for (int lines = 0;; ++lines) {
        const std::size_t size =
            co_await asio::async_read_until(output, asio::dynamic_buffer(text), '\n',
                                            asio::redirect_error(asio::use_awaitable, end));
        if (end) {
            co_await async_wait_exit(executor, child, asio::use_awaitable);
            co_return lines;
        }
        text.erase(0, size);
    }
}
// [end]

}  // namespace

TEST_CASE("the manual's commands") {
    asio::io_context context;
    const TemporaryDirectory directory;
    (void)directory.file("v1", "", 0600);
    (void)directory.file("v2", "", 0600);
    auto tag = asio::co_spawn(context, newest_tag(directory.path()), asio::use_future);
    context.run();
    CHECK(tag.get() == "v2\n");
}

TEST_CASE("the manual's streaming") {
    asio::io_context context;
    const syncspawn::SyncedSpawner spawner({.program = "printf",
                                            .arguments = {"one\\ntwo\\n"},
                                            .streams = {.output = syncspawn::Stdio::pipe()}});
    auto lines = asio::co_spawn(context, count_lines(spawner), asio::use_future);
    context.run();
    CHECK(lines.get() == 2);
}

TEST_CASE("the manual's hook that may share memory") {
    Ours launcher;
    if (memory_can_be_shared()) {
        launcher.options.birth.method = syncspawn::StartMethod::shared_memory;
    }
    CHECK(run_shell(launcher, "nice", Nice{}) == "exit 0: 10\n");
}

TEST_CASE("the manual's steps and options") {
    syncspawn::SpawnError refused;
    (void)syncspawn::SyncedSpawner(
        {.program = "true", .birth = {.namespaces = syncspawn::Namespaces::user}})
        .spawn(refused);
    if (refused) {
        SKIP_TEST("this machine forbids new namespaces");
    }
    asio::io_context context;
    asio::readable_pipe output(context);
    const std::string program = helper("launch_meets");
    const Texts arguments{"2", "id -u"};
    // [steps and options]
    syncspawn::for_boost::SyncedLauncher launcher;
    launcher.options.birth.namespaces = syncspawn::Namespaces::user;
    launcher.options.readiness.within = 60s;      // the program attaches and places
    launcher.step(syncspawn::steps::map_root());  // while the child waits
    v2::process server = launcher(context, program, arguments, v2::process_stdio{{}, output, {}});
    auto barrier = launcher.take_barrier(context);  // to meet it again later
    // [end]
    auto met = barrier.async_place_and_sync(asio::use_future);
    context.run();
    CHECK(met.get() == syncspawn::Outcome::reached);
    CHECK(read_all(output.native_handle()) == "0\n");
    CHECK(server.wait() == 42);
}

TEST_CASE("the manual's stock launcher") {
    asio::io_context context;
    const std::string program = helper("launch_meets");
    const Texts arguments{"1"};
    // [an initializer]
    syncspawn::for_boost::BarrierInitializer ready;
    v2::process server(context, program, arguments, ready);
    syncspawn::for_boost::AsyncBarrier barrier(context, std::move(ready.barrier()));
    // [end]
    auto met = barrier.async_place_and_sync(asio::use_future);
    context.run();
    CHECK(met.get() == syncspawn::Outcome::reached);
    CHECK(server.wait() == 42);
}

TEST_CASE("the manual's session") {
    asio::io_context context;
    const auto run_session = [&](const std::string& does) {
        const syncspawn::SyncedSpawner spawner(
            {.program = helper("launch_readiness"),
             .arguments = {does},
             .readiness = {.hand_over = syncspawn::HandOver::barrier}});
        auto code = asio::co_spawn(context, session(spawner), asio::use_future);
        context.restart();
        context.run();
        return code.get();
    };
    CHECK(run_session("is ready") == 42);
    CHECK(run_session("aborts") == 128 + SIGKILL);
}
