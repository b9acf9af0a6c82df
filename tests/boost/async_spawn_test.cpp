#include <syncspawn/boost/async_spawn.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <csignal>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <syncspawn/boost/async_barrier.hpp>
#include <syncspawn/boost/async_wait_exit.hpp>

#include "support/descriptor_limit.hpp"
#include "support/launch_ends.hpp"
#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

// A launch from an event loop of Asio: it ends as one that waits by itself, for any completion token, on
// the right executor, and can be cancelled at any time.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;
using syncspawn::for_boost::async_spawn;
using syncspawn::for_boost::spawn_error_of;
namespace asio = boost::asio;

namespace {

SpawnOptions program_true(StartMethod method = StartMethod::automatic) {
    return {.program = "true", .birth = {.method = method}, .setup = {.abort_grace = 0ns}};
}

// What a launch completed with, and a handler that stores it.
struct Result {
    int completions = 0;
    SpawnError error;
    Process process;

    auto handler() {
        return [this](const std::exception_ptr& failure, Process its_process) {
            ++completions;
            error = spawn_error_of(failure);
            process = std::move(its_process);
        };
    }
};

class HeldLaunch : public HeldLaunchBase {
public:
    using HeldLaunchBase::HeldLaunchBase;
    // Begins, and returns when the child is in that part and the loop has nothing to do.
    template <class Handler>
    void begin(asio::io_context& context, Handler handler) {
        async_spawn(context, spawner(), std::move(handler));
        while (pid() < 0) {
            REQUIRE(context.poll_one() > 0);
        }
        REQUIRE(is_held());
        while (context.poll() > 0) {
        }
    }
};

// Runs the loop until the program, the helper, sleeps.
void run_until_program_sleeps(asio::io_context& context, const HeldLaunch& held) {
    held.let_go();
    const std::string comm = "/proc/" + std::to_string(held.pid()) + "/comm";
    while (read_file(comm) != "launch_readines\n") {  // as much of the name as there is room for
        context.poll();
    }
    REQUIRE(comes_to_state(held.pid(), 'S'));
    while (context.poll() > 0) {
    }
}

void check_cancelled(const Result& result) {
    CHECK(result.completions == 1);
    const std::string more =
        result.error.program_may_have_run() && result.error.stage() != Stage::readiness
            ? "; the program may have run"
            : "";
    CHECK(std::string(result.error.what()) == "the launch was cancelled" + more);
    CHECK(result.error.cause() == Cause::cancelled);
    CHECK(result.error.code() == std::errc::operation_canceled);
    CHECK_FALSE(result.process);
}

}  // namespace

// Ends.

TEST_CASE("a launch from an event loop ends as one that waits by itself") {
    const std::vector<End> ends = every_end();
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        for (const End& end : ends) {
            CAPTURE(static_cast<int>(method));
            CAPTURE(end.text);
            SpawnOptions options = end.options;
            options.birth.method = method;
            int undone = 0;
            SyncedSpawner spawner(options);
            spawner.step({.name = "before",
                          .parent = [](ParentSide&) {},
                          .undo = [&](ParentSide&) { ++undone; }});
            if (!end.step.name.empty()) {
                spawner.step(end.step);
            }
            SpawnError spawned;
            Process waited_for = spawner.spawn(spawned);
            CHECK(std::string(spawned.what()).starts_with(end.text));
            const int undone_by_spawn = std::exchange(undone, 0);

            asio::io_context context;
            Result result;
            async_spawn(context, spawner, result.handler());
            context.run();
            CHECK(result.completions == 1);
            check_same(result.error, spawned);
            CHECK(undone == undone_by_spawn);
            CHECK(static_cast<bool>(result.process) == static_cast<bool>(waited_for));
            if (result.process && waited_for) {
                CHECK(result.process.start_method() == method);
                CHECK(result.process.wait() == waited_for.wait());
            }
        }
    }
}

TEST_CASE("a program that is ready is met at its barrier from the same loop") {
    const NothingIsLeft nothing;
    asio::io_context context;
    const SyncedSpawner spawner(program_that("is ready", 60s));
    std::optional<ExitStatus> status;
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            Process child = co_await async_spawn(context, spawner, asio::use_awaitable);
            syncspawn::for_boost::AsyncBarrier barrier(context, child);
            CHECK_THROWS_AS((void)child.barrier(), std::logic_error);
            CHECK(co_await barrier.async_sync(asio::use_awaitable) == Outcome::reached);
            CHECK(co_await barrier.async_wait_abortion(asio::use_awaitable) == Outcome::reached);
            status =
                co_await syncspawn::for_boost::async_wait_exit(context, child, asio::use_awaitable);
        },
        [](const std::exception_ptr& failure) { CHECK(failure == nullptr); });
    context.run();
    CHECK(status == ExitStatus::exited(42));
}

TEST_CASE("spawn_error_of() tells a SpawnError from none, and throws anything else on") {
    CHECK_FALSE(spawn_error_of(nullptr));
    const SpawnError error = failure_of({.program = "/nowhere"});
    check_same(spawn_error_of(std::make_exception_ptr(error)), error);
    CHECK_THROWS_AS((void)spawn_error_of(std::make_exception_ptr(std::runtime_error("x"))),
                    std::runtime_error);
}

TEST_CASE("nothing starts or completes within the call that initiates") {
    const NothingIsLeft nothing;
    for (const char* program : {"true", "/nowhere"}) {
        CAPTURE(program);
        asio::io_context context;
        bool has_begun = false;
        SpawnOptions options = program_true();
        options.program = program;
        if (std::string(program) == "/nowhere") {
            options.descriptors.passed = {{987'654, 5}};  // fails before there is a child
        }
        SyncedSpawner spawner(options);
        spawner.step({.name = "x", .parent = [&](ParentSide&) { has_begun = true; }});
        Result result;
        // Also where a dispatch would run it at once: on the thread of the loop.
        asio::post(context, [&] {
            async_spawn(context, spawner, result.handler());
            CHECK_FALSE(has_begun);
            CHECK(result.completions == 0);
            CHECK(count_children() == 0);
        });
        CHECK(context.run_one() == 1);
        CHECK_FALSE(has_begun);
        CHECK(result.completions == 0);
        context.run();
        CHECK(result.completions == 1);
        CHECK(static_cast<bool>(result.process) == has_begun);
    }
}

TEST_CASE("a launch that waits does not keep the loop busy") {
    const NothingIsLeft nothing;
    asio::io_context context;
    HeldLaunch held(program_that("sleeps", 1h));
    asio::cancellation_signal signal;
    Result result;
    held.begin(context, asio::bind_cancellation_slot(signal.slot(), result.handler()));
    CHECK(context.poll() == 0);
    run_until_program_sleeps(context, held);
    CHECK(context.poll() == 0);
    CHECK(context.poll() == 0);
    signal.emit(asio::cancellation_type::terminal);
    context.run();
    check_cancelled(result);
}

// Completion tokens.

TEST_CASE("a future has the process, or throws the SpawnError") {
    const NothingIsLeft nothing;
    asio::io_context context;
    const SyncedSpawner good(program_true());
    const SyncedSpawner bad({.program = "/nowhere"});
    auto process = async_spawn(context.get_executor(), good, asio::use_future);
    auto failure =
        async_spawn(asio::any_io_executor(context.get_executor()), bad, asio::use_future);
    context.run();
    CHECK(process.get().wait().success());
    CHECK_THROWS_AS((void)failure.get(), SpawnError);
}

TEST_CASE("a deferred launch begins when it is called") {
    const NothingIsLeft nothing;
    asio::io_context context;
    const SyncedSpawner spawner(program_true());
    auto operation = async_spawn(context, spawner, asio::deferred);
    CHECK(context.poll() == 0);
    context.restart();
    Result result;
    std::move(operation)(result.handler());
    context.run();
    CHECK(result.completions == 1);
    CHECK(result.process.wait().success());
}

TEST_CASE("a coroutine gets the process, or the SpawnError as an exception or in a tuple") {
    const NothingIsLeft nothing;
    asio::io_context context;
    const SyncedSpawner good(program_true());
    const SyncedSpawner bad({.program = "/nowhere"});
    int ends = 0;
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            Process process = co_await async_spawn(context, good, asio::use_awaitable);
            CHECK(process.wait().success());
            ++ends;
            try {
                (void)co_await async_spawn(context, bad, asio::use_awaitable);
            } catch (const SpawnError& error) {
                CHECK(error.stage() == Stage::execve);
                ++ends;
            }
            auto [failure, none] =
                co_await async_spawn(context, bad, asio::as_tuple(asio::use_awaitable));
            CHECK(spawn_error_of(failure).code() == std::errc::no_such_file_or_directory);
            CHECK_FALSE(none);
            ++ends;
        },
        [](const std::exception_ptr& failure) { CHECK(failure == nullptr); });
    context.run();
    CHECK(ends == 3);
}

// The program is never ready, so the timer always wins.
TEST_CASE("a launch that loses against another operation is cancelled") {
    using namespace asio::experimental::awaitable_operators;
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        asio::io_context context;
        const SyncedSpawner spawner(program_that("sleeps", 1h, method));
        asio::steady_timer timer(context, 20ms);
        bool has_ended = false;
        asio::co_spawn(
            context,
            [&]() -> asio::awaitable<void> {
                auto first = co_await (async_spawn(context, spawner, asio::use_awaitable) ||
                                       timer.async_wait(asio::use_awaitable));
                CHECK(first.index() == 1);
                CHECK(count_children() == 0);
                has_ended = true;
            },
            [](const std::exception_ptr& failure) { CHECK(failure == nullptr); });
        context.run();
        CHECK(has_ended);
    }
}

// Executors.

// The pool has one thread, so "on the strand" and "on that thread" are both seen.
TEST_CASE("the parent's parts and the handler run on the handler's executor") {
    const NothingIsLeft nothing;
    asio::io_context context;
    {
        asio::thread_pool pool(1);
        const auto strand = asio::make_strand(pool);
        std::thread::id part, undo, handler;
        bool part_on_strand = false;
        bool handler_on_strand = false;
        SyncedSpawner spawner({.program = "/nowhere"});
        spawner.step({.name = "x",
                      .parent =
                          [&](ParentSide&) {
                              part = std::this_thread::get_id();
                              part_on_strand = strand.running_in_this_thread();
                          },
                      .undo = [&](ParentSide&) { undo = std::this_thread::get_id(); }});
        auto work = asio::make_work_guard(context);
        async_spawn(context, spawner,
                    asio::bind_executor(strand, [&](const std::exception_ptr&, const Process&) {
                        handler = std::this_thread::get_id();
                        handler_on_strand = strand.running_in_this_thread();
                        work.reset();
                    }));
        context.run();
        pool.join();
        CHECK(handler_on_strand);
        CHECK(part_on_strand);
        CHECK(handler != std::this_thread::get_id());
        CHECK(part == handler);
        CHECK(undo == handler);
    }
}

TEST_CASE("many threads run one loop with launches on strands") {
    constexpr int launches = 200;
    if (!raise_descriptor_limit(rlim_t{24} * launches)) {
        SKIP_TEST("RLIMIT_NOFILE is too low");
    }
    const NothingIsLeft nothing;
    std::atomic<int> successes{0};
    std::atomic<int> off_strand{0};
    {
        asio::io_context context;
        const SyncedSpawner spawner(program_true());
        std::vector<Process> processes(launches);
        for (Process& process : processes) {
            const auto strand = asio::make_strand(context);
            async_spawn(strand, spawner,
                        [&, strand](const std::exception_ptr& failure, Process launched) {
                            off_strand += strand.running_in_this_thread() ? 0 : 1;
                            if (failure != nullptr) {
                                return;
                            }
                            process = std::move(launched);
                            syncspawn::for_boost::async_wait_exit(
                                strand, process, [&, strand](auto code, ExitStatus status) {
                                    off_strand += strand.running_in_this_thread() ? 0 : 1;
                                    successes += !code && status.success() ? 1 : 0;
                                });
                        });
        }
        std::vector<std::thread> threads;
        for (int count = 0; count < 4; ++count) {
            threads.emplace_back([&] { context.run(); });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
    }
    CHECK(successes == launches);
    CHECK(off_strand == 0);
}

// Cancellation.

TEST_CASE("a launch that is cancelled before the loop runs never has a child") {
    const NothingIsLeft nothing;
    asio::io_context context;
    asio::cancellation_signal signal;
    int parts = 0;
    SyncedSpawner spawner(program_true());
    spawner.step({.name = "x", .parent = [&](ParentSide&) { ++parts; }});
    Result result;
    async_spawn(context, spawner, asio::bind_cancellation_slot(signal.slot(), result.handler()));
    signal.emit(asio::cancellation_type::terminal);
    CHECK(result.completions == 0);
    context.run();
    check_cancelled(result);
    CHECK(parts == 0);
    CHECK_FALSE(result.error.program_may_have_run());
}

TEST_CASE("a launch is cancelled while the child is in a part or the program not ready yet") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        for (const auto type :
             {asio::cancellation_type::terminal, asio::cancellation_type::partial}) {
            for (const bool has_executed : {false, true}) {
                CAPTURE(static_cast<int>(method));
                CAPTURE(static_cast<int>(type));
                CAPTURE(has_executed);
                asio::io_context context;
                asio::cancellation_signal signal;
                Result result;
                HeldLaunch held(program_that("sleeps", 1h, method));
                held.begin(context, asio::bind_cancellation_slot(signal.slot(), result.handler()));
                if (has_executed) {
                    run_until_program_sleeps(context, held);
                }
                signal.emit(type);
                CHECK(result.completions == 0);
                context.run();
                check_cancelled(result);
                CHECK(result.error.stage() ==
                      (has_executed ? Stage::readiness : Stage::rendezvous));
                CHECK(result.error.program_may_have_run() == has_executed);
                CHECK(held.undone() == 1);
                CHECK(state_of(held.pid()) == '\0');
                signal.emit(type);  // too late: nothing
            }
        }
    }
}

TEST_CASE("a cancelled launch waits for its child without blocking the loop") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        asio::io_context context;
        asio::cancellation_signal signal;
        Result result;
        SpawnOptions options = program_true(method);
        options.setup.abort_grace = 1h;
        HeldLaunch held(options);
        held.begin(context, asio::bind_cancellation_slot(signal.slot(), result.handler()));
        signal.emit(asio::cancellation_type::terminal);
        while (context.poll() > 0) {
        }
        CHECK(context.poll() == 0);
        CHECK(result.completions == 0);
        CHECK(held.undone() == 0);
        held.let_go();
        context.run();
        check_cancelled(result);
        CHECK(held.undone() == 1);
    }
}

TEST_CASE("a cancellation of the type total is ignored") {
    const NothingIsLeft nothing;
    asio::io_context context;
    asio::cancellation_signal signal;
    Result result;
    HeldLaunch held(program_true());
    held.begin(context, asio::bind_cancellation_slot(signal.slot(), result.handler()));
    signal.emit(asio::cancellation_type::total);
    CHECK(context.poll() == 0);
    CHECK(state_of(held.pid()) == 'S');
    held.let_go();
    context.run();
    CHECK(result.completions == 1);
    CHECK_FALSE(result.error);
    CHECK(result.process.wait().success());
}

TEST_CASE("a part of the parent may cancel its own launch through the slot") {
    const NothingIsLeft nothing;
    asio::io_context context;
    asio::cancellation_signal signal;
    SyncedSpawner spawner(program_that("sleeps", 1h));
    spawner.step({.name = "x",
                  .parent = [&](ParentSide&) { signal.emit(asio::cancellation_type::terminal); }});
    Result result;
    async_spawn(context, spawner, asio::bind_cancellation_slot(signal.slot(), result.handler()));
    context.run();
    check_cancelled(result);
}

// The loop does not run until the program is a zombie, so it cannot know of the execve.
TEST_CASE("a launch that is cancelled after its program has ended already is cancelled, too") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        asio::io_context context;
        asio::cancellation_signal signal;
        Result result;
        HeldLaunch held(program_true(method));
        held.begin(context, asio::bind_cancellation_slot(signal.slot(), result.handler()));
        held.let_go();
        REQUIRE(comes_to_state(held.pid(), 'Z'));
        signal.emit(asio::cancellation_type::terminal);
        context.run();
        check_cancelled(result);
        CHECK(result.error.program_may_have_run());
    }
}

// The end of the loop.

TEST_CASE("a loop that is destroyed takes the launches under way along") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        for (const bool has_executed : {false, true}) {
            CAPTURE(static_cast<int>(method));
            CAPTURE(has_executed);
            Result result;
            HeldLaunch held(program_that("sleeps", 1h, method));
            {
                asio::io_context context;
                held.begin(context, result.handler());
                if (has_executed) {
                    run_until_program_sleeps(context, held);
                }
            }
            CHECK(result.completions == 0);
            CHECK(state_of(held.pid()) == '\0');
            CHECK(held.undone() == 1);
        }
    }
}

// Each program leaves only when all have been told to end: none would within a grace of its own.
TEST_CASE("a loop that is destroyed tells all launches to end before it waits for any") {
    const NothingIsLeft nothing;
    constexpr std::size_t count = 5;
    int told[2];
    int gate[2];
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    REQUIRE(pipe2(gate, O_CLOEXEC) == 0);
    const UniqueFd tells(told[0]);
    const UniqueFd gate_in(gate[0]);
    UniqueFd told_in(told[1]);
    UniqueFd opens(gate[1]);
    SpawnOptions options = program_that("waits for an abort and a gate", 1h);
    options.setup.abort_grace = 60s;
    options.streams.input = Stdio::descriptor(gate_in.get());
    options.streams.output = Stdio::descriptor(told_in.get());
    const SyncedSpawner spawner(options);
    const auto next = [&] {
        char letter = '\0';
        return read(tells.get(), &letter, 1) == 1 ? letter : '\0';
    };
    std::string heard;
    std::thread opener;
    {
        asio::io_context context;
        for (std::size_t one = 0; one < count; ++one) {
            async_spawn(context, spawner,
                        [](const std::exception_ptr&, const Process&) { CHECK(false); });
        }
        while (heard.size() < count) {
            context.poll();
            pollfd watched{tells.get(), POLLIN, 0};
            if (poll(&watched, 1, 1) == 1) {
                heard += next();
            }
        }
        REQUIRE(heard == std::string(count, 'a'));  // attached
        told_in.reset();
        opener = std::thread([&] {
            for (std::size_t one = 0; one < count; ++one) {
                heard += next();
            }
            opens.reset();
            for (char letter = next(); letter != '\0'; letter = next()) {
                heard += letter;
            }
        });
    }
    opener.join();
    CHECK(heard == std::string(count, 'a') + std::string(count, 't') + std::string(count, 'l'));
}

TEST_CASE("a loop that is destroyed before it ran never has a child") {
    const NothingIsLeft nothing;
    int parts = 0;
    SyncedSpawner spawner(program_true());
    spawner.step({.name = "x", .parent = [&](ParentSide&) { ++parts; }});
    const auto never = [](const std::exception_ptr&, const Process&) { CHECK(false); };
    {
        asio::io_context context;
        async_spawn(context, spawner, never);
    }
    {  // that of the handler
        asio::io_context context, idle;
        async_spawn(context, spawner, asio::bind_executor(idle, never));
        context.poll();
    }
    CHECK(parts == 0);
}
