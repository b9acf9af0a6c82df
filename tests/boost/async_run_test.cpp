#include <syncspawn/boost/async_run.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <csignal>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <syncspawn/boost/async_spawn.hpp>

#include "support/descriptor_limit.hpp"
#include "support/launch_ends.hpp"
#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/skip.hpp"

// A run from an event loop of Asio: it ends as run() does, for any completion token, on the right executor,
// and can be cancelled at any time.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;
using syncspawn::for_boost::async_run;
using syncspawn::for_boost::spawn_error_of;
namespace asio = boost::asio;

namespace {

// What a run completed with, and a handler that stores it.
struct Completion {
    int count = 0;
    std::exception_ptr failure;
    RunResult result;

    auto handler() {
        return [this](std::exception_ptr its_failure, RunResult its_result) {
            ++count;
            failure = std::move(its_failure);
            result = std::move(its_result);
        };
    }
};

// With options that have no name, outside of coroutines.
template <class Where, class Token>
auto start(Where&& where, const SyncedSpawner& spawner, const RunOptions& options, Token&& token) {
    return async_run(where, spawner, options, std::forward<Token>(token));
}
template <class Where, class Token>
auto start(Where&& where, const SpawnOptions& program, const RunOptions& options, Token&& token) {
    return start(where, SyncedSpawner(program), options, std::forward<Token>(token));
}

bool is_aborted(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        return error.code() == asio::error::operation_aborted;
    }
}

std::string told(const RunResult& result) {
    return std::to_string(static_cast<int>(result.end)) + " " + result.status.to_string() + " [" +
           result.output + "] [" + result.error + "] " + std::to_string(result.output_dropped) +
           " " + std::to_string(result.stages.size());
}

// All that it starts ends with it.
SpawnOptions session(const std::string& text) {
    SpawnOptions options = shell(text);
    options.ending.scope = KillScope::session;
    return options;
}

const SyncedSpawner sleeps_long({.program = "sleep", .arguments = {"1000"}});

// Says "x", and when it is told to end says "bye" and leaves with code 7.
SpawnOptions leaves_when_told() {
    return session("trap 'echo bye; exit 7' TERM; echo x; sleep 1000 & wait");
}

// A run with a slot that has come as far as its first output.
class Begun {
public:
    Begun(asio::io_context& context, const SpawnOptions& program, RunOptions options = {}) {
        options.output.receive = [this](std::string_view) { has_spoken_ = true; };
        start(context, program, options,
              asio::bind_cancellation_slot(signal.slot(), completion.handler()));
        while (!has_spoken_) {
            REQUIRE(context.run_one() > 0);
        }
        while (context.poll() > 0) {
        }
    }

    asio::cancellation_signal signal;
    Completion completion;

private:
    bool has_spoken_ = false;
};

}  // namespace

// Ends.

TEST_CASE("a run from an event loop ends as one that waits by itself") {
    const NothingIsLeft nothing;
    using Pipeline = std::vector<SyncedSpawner>;
    const auto one = [](SpawnOptions options) {
        return Pipeline{SyncedSpawner(std::move(options))};
    };
    const std::vector<std::pair<Pipeline, RunOptions>> runs = {
        {one(shell("echo out; echo err >&2; exit 3")), {}},
        {one(shell("kill -KILL $$")), {}},
        {one({.program = "/nowhere"}), {}},
        {one({.program = "yes"}),
         {.output = {.limit = 10, .when_full = Capture::WhenFull::stop}, .error = {}}},
        {{SyncedSpawner({.program = "yes"}),
          SyncedSpawner({.program = "head", .arguments = {"-1"}})},
         {}},
        {{SyncedSpawner({.program = "yes"}), SyncedSpawner({.program = "/nowhere"})}, {}},
    };
    for (const auto& [programs, options] : runs) {
        SpawnError expected_error;
        RunResult expected = run_pipeline(programs, options, expected_error);
        asio::io_context context;
        Completion completion;
        async_run(context, programs, options, completion.handler());
        context.run();
        CHECK(completion.count == 1);
        const SpawnError error = spawn_error_of(completion.failure);
        CHECK(error.cause() == expected_error.cause());
        CHECK(error.code() == expected_error.code());
        // How much was read at the end is chance.
        completion.result.output_dropped = expected.output_dropped = 0;
        CHECK(told(completion.result) == told(expected));
    }
}

TEST_CASE("options that can never work are refused in the call") {
    asio::io_context context;
    const auto never = [](const std::exception_ptr&, const RunResult&) { CHECK(false); };
    CHECK_THROWS_AS(start(context, {.program = "true"}, {.within = -1s}, never),
                    std::invalid_argument);
    CHECK_THROWS_AS(async_run(context, std::vector<SyncedSpawner>(), never), std::invalid_argument);
    CHECK(context.poll() == 0);
}

TEST_CASE("nothing happens before the loop runs, nor in the call") {
    const NothingIsLeft nothing;
    asio::io_context context;
    Completion completion;
    start(context, {.program = "true"}, {}, completion.handler());
    CHECK(completion.count == 0);
    CHECK(count_children() == 0);
    context.run();
    CHECK(completion.result.success());
}

TEST_CASE("much goes in and out at once") {
    const NothingIsLeft nothing;
    constexpr std::size_t size = std::size_t{4} << 20;
    asio::io_context context;
    Completion completion;
    std::size_t given = 0;
    std::size_t received = 0;
    RunOptions options{
        .input =
            [&] {
                const std::size_t more = std::min<std::size_t>(size - given, 100'000);
                given += more;
                return std::string(more, 'a');
            },
        .output = {.limit = 3, .receive = [&](std::string_view text) { received += text.size(); }}};
    start(context, {.program = "cat"}, options, completion.handler());
    context.run();
    CHECK(completion.result.success());
    CHECK(given == size);
    CHECK(received == size);
    CHECK(completion.result.output == "aaa");
    CHECK(completion.result.output_dropped == size - 3);
}

// A limit that has passed before the program ran is another end; so it gets longer until it is none.
TEST_CASE("a time limit ends the program, and is no error") {
    const NothingIsLeft nothing;
    Completion completion;
    for (auto limit = 20ms; completion.result.stages.empty(); limit *= 2) {
        asio::io_context context;
        start(context, sleeps_long, {.within = limit}, completion.handler());
        context.run();
    }
    CHECK(completion.failure == nullptr);
    CHECK(completion.result.is_late());
    CHECK(completion.result.status.signal() == SIGKILL);
}

TEST_CASE("what a callback throws is what the run completes with") {
    const NothingIsLeft nothing;
    asio::io_context context;
    const auto refuse = [](std::string_view) { throw std::length_error("too much"); };
    auto future = start(context, session("echo x; sleep 1000"), {.output = {.receive = refuse}},
                        asio::use_future);
    context.run();
    CHECK_THROWS_AS((void)future.get(), std::length_error);
}

// Completion tokens.

TEST_CASE("a future has the result, or throws the SpawnError") {
    const NothingIsLeft nothing;
    asio::io_context context;
    const asio::any_io_executor executor = context.get_executor();
    auto good = start(executor, shell("echo hello"), {}, asio::use_future);
    auto bad = start(context.get_executor(), {.program = "/nowhere"}, {}, asio::use_future);
    context.run();
    CHECK(good.get().output == "hello\n");
    CHECK_THROWS_AS((void)bad.get(), SpawnError);
}

TEST_CASE("a deferred run begins when it is called") {
    const NothingIsLeft nothing;
    asio::io_context context;
    auto operation = start(context, {.program = "true"}, {}, asio::deferred);
    CHECK(context.poll() == 0);
    context.restart();
    Completion completion;
    std::move(operation)(completion.handler());
    context.run();
    CHECK(completion.count == 1);
    CHECK(completion.result.success());
}

TEST_CASE("the token and the options may be left out") {
    const NothingIsLeft nothing;
    asio::io_context context;
    using Executor = asio::use_awaitable_t<>::executor_with_default<asio::any_io_executor>;
    const Executor executor(context.get_executor());
    auto sum = asio::co_spawn(
        context,
        [&]() -> asio::awaitable<std::string> {
            const SyncedSpawner echo(shell("echo a"));
            const std::vector<SyncedSpawner> pipeline = {echo, SyncedSpawner({.program = "cat"})};
            const RunOptions options{.within = 1h};
            const RunResult first = co_await async_run(executor, echo);
            const RunResult second = co_await async_run(executor, echo, options);
            const RunResult both = co_await async_run(executor, pipeline);
            co_return first.output + second.output + both.output;
        },
        asio::use_future);
    context.run();
    CHECK(sum.get() == "a\na\na\n");
}

TEST_CASE("a coroutine gets the result, or the SpawnError as an exception or in a tuple") {
    const NothingIsLeft nothing;
    asio::io_context context;
    const SyncedSpawner bad({.program = "/nowhere"});
    const SyncedSpawner fails(shell("exit 3"));
    auto ends = asio::co_spawn(
        context,
        [&]() -> asio::awaitable<int> {
            const RunResult result = co_await async_run(context, fails, asio::use_awaitable);
            CHECK(result.status == ExitStatus::exited(3));
            int errors = 0;
            try {
                (void)co_await async_run(context, bad, asio::use_awaitable);
            } catch (const SpawnError& error) {
                CHECK(error.stage() == syncspawn::Stage::execve);
                ++errors;
            }
            auto [failure, none] =
                co_await async_run(context, bad, asio::as_tuple(asio::use_awaitable));
            CHECK(spawn_error_of(failure).code() == std::errc::no_such_file_or_directory);
            CHECK(none.stages.empty());
            co_return errors;
        },
        asio::use_future);
    context.run();
    CHECK(ends.get() == 1);
}

TEST_CASE("a run that loses against a timer is ended first") {
    using namespace asio::experimental::awaitable_operators;
    const NothingIsLeft nothing;
    asio::io_context context;
    asio::steady_timer timer(context, 20ms);
    auto winner = asio::co_spawn(
        context,
        [&]() -> asio::awaitable<std::size_t> {
            auto first = co_await (async_run(context, sleeps_long, asio::use_awaitable) ||
                                   timer.async_wait(asio::use_awaitable));
            CHECK(count_children() == 0);
            co_return first.index();
        },
        asio::use_future);
    context.run();
    CHECK(winner.get() == 1);
}

TEST_CASE("of two runs that must both be launched the other is ended if one is not") {
    using namespace asio::experimental::awaitable_operators;
    const NothingIsLeft nothing;
    asio::io_context context;
    const SyncedSpawner bad({.program = "/nowhere"});
    auto both = asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            co_await (async_run(context, bad, asio::use_awaitable) &&
                      async_run(context, sleeps_long, asio::use_awaitable));
        },
        asio::use_future);
    context.run();
    try {
        both.get();
        CHECK(false);
    } catch (const asio::multiple_exceptions& failures) {  // the other is that it was aborted
        CHECK(spawn_error_of(failures.first_exception()).stage() == syncspawn::Stage::execve);
    }
}

// Executors.

// The pool has one thread, so "on the strand" and "on that thread" are both seen.
TEST_CASE("callbacks and handler run on the handler's executor") {
    const NothingIsLeft nothing;
    asio::io_context context;
    asio::thread_pool pool(1);
    const auto strand = asio::make_strand(pool);
    std::array<bool, 4> on_strand{};
    std::array<std::thread::id, 4> threads;
    const auto note = [&](std::size_t which) {
        on_strand[which] = strand.running_in_this_thread();
        threads[which] = std::this_thread::get_id();
    };
    auto work = asio::make_work_guard(context);
    bool is_given = false;
    RunOptions options{
        .input =
            [&] {
                note(0);
                return std::exchange(is_given, true) ? std::string() : std::string("hello");
            },
        .launched = [&](const Process&) { note(3); },
        .output = {.receive = [&](std::string_view) { note(1); }},
    };
    start(context, {.program = "cat"}, options,
          asio::bind_executor(strand, [&](const std::exception_ptr&, const RunResult& result) {
              CHECK(result.output == "hello");
              note(2);
              work.reset();
          }));
    context.run();
    pool.join();
    CHECK(std::ranges::count(on_strand, true) == 4);
    CHECK(std::ranges::count(threads, threads[2]) == 4);
    CHECK(threads[2] != std::this_thread::get_id());
}

TEST_CASE("many threads run one loop with hundreds of runs on strands") {
    constexpr int runs = 300;
    if (!raise_descriptor_limit(rlim_t{24} * runs)) {
        SKIP_TEST("RLIMIT_NOFILE is too low");
    }
    const NothingIsLeft nothing;
    std::atomic<int> right{0};
    std::atomic<int> off_strand{0};
    asio::io_context context;
    for (int number = 0; number < runs; ++number) {
        const auto strand = asio::make_strand(context);
        const std::string line = std::to_string(number) + "\n";
        // More than a pipe holds.
        start(strand, shell("echo " + std::to_string(number) + "; head -c 100000 /dev/zero"),
              {.error = {}}, [&, strand, line](const std::exception_ptr&, const RunResult& result) {
                  off_strand += strand.running_in_this_thread() ? 0 : 1;
                  right += result.success() && result.output.starts_with(line) &&
                                   result.output.size() == line.size() + 100'000
                               ? 1
                               : 0;
              });
    }
    {
        std::vector<std::jthread> threads;
        for (int count = 0; count < 4; ++count) {
            threads.emplace_back([&] { context.run(); });
        }
    }
    CHECK(right == runs);
    CHECK(off_strand == 0);
}

// Cancellation.

TEST_CASE("a run that is cancelled before the loop runs never has a child") {
    const NothingIsLeft nothing;
    asio::io_context context;
    asio::cancellation_signal signal;
    int parts = 0;
    SyncedSpawner spawner({.program = "true"});
    spawner.step({.name = "x", .parent = [&](ParentSide&) { ++parts; }});
    Completion completion;
    start(context, spawner, {}, asio::bind_cancellation_slot(signal.slot(), completion.handler()));
    signal.emit(asio::cancellation_type::terminal);
    CHECK(completion.count == 0);
    context.run();
    CHECK(completion.count == 1);
    CHECK(is_aborted(completion.failure));
    CHECK(parts == 0);
}

TEST_CASE("a run that is cancelled while it is launched is aborted") {
    const NothingIsLeft nothing;
    asio::io_context context;
    asio::cancellation_signal signal;
    Completion completion;
    HeldLaunchBase held({.program = "true"});
    start(context, held.spawner(), {},
          asio::bind_cancellation_slot(signal.slot(), completion.handler()));
    while (held.pid() < 0) {
        REQUIRE(context.poll_one() > 0);
    }
    REQUIRE(held.is_held());
    signal.emit(asio::cancellation_type::terminal);
    CHECK(completion.count == 0);
    context.run();
    CHECK(completion.count == 1);
    CHECK(is_aborted(completion.failure));
    CHECK(completion.result.stages.empty());
    CHECK(held.undone() == 1);
}

TEST_CASE("a run that is cancelled ends its program as the options say, and has what it wrote") {
    const NothingIsLeft nothing;
    for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial}) {
        asio::io_context context;
        Begun run(context, leaves_when_told(), {.stop = {Stop::terminate(1h)}});
        run.signal.emit(type);
        CHECK(run.completion.count == 0);
        context.run();
        CHECK(run.completion.count == 1);
        CHECK(is_aborted(run.completion.failure));
        const RunResult& result = run.completion.result;
        CHECK(result.end == RunEnd::cancelled);
        CHECK(result.status == ExitStatus::exited(7));
        CHECK(result.output == "x\nbye\n");
        run.signal.emit(type);  // too late: nothing
    }
}

TEST_CASE("a cancelled run waits for its program without blocking the loop") {
    const NothingIsLeft nothing;
    int gate[2];
    REQUIRE(pipe2(gate, O_CLOEXEC) == 0);
    const UniqueFd gate_out(gate[0]);
    UniqueFd opens(gate[1]);
    SpawnOptions program = session("trap 'read line; exit 7' TERM; echo x; sleep 1000 & wait");
    program.streams.input = Stdio::descriptor(gate_out.get());
    asio::io_context context;
    Begun run(context, program, {.stop = {Stop::terminate(1h)}});
    run.signal.emit(asio::cancellation_type::terminal);
    while (context.poll() > 0) {
    }
    CHECK(context.poll() == 0);
    CHECK(run.completion.count == 0);
    opens.reset();
    context.run();
    CHECK(is_aborted(run.completion.failure));
    CHECK(run.completion.result.status == ExitStatus::exited(7));
}

TEST_CASE("a callback may cancel its own run through the slot") {
    const NothingIsLeft nothing;
    asio::io_context context;
    asio::cancellation_signal signal;
    Completion completion;
    const auto enough = [&](std::string_view) { signal.emit(asio::cancellation_type::terminal); };
    start(context, session("echo x; sleep 1000"), {.output = {.receive = enough}},
          asio::bind_cancellation_slot(signal.slot(), completion.handler()));
    context.run();
    CHECK(completion.count == 1);
    CHECK(is_aborted(completion.failure));
    CHECK(completion.result.output == "x\n");
}

TEST_CASE("a cancellation of the type total is ignored") {
    const NothingIsLeft nothing;
    asio::io_context context;
    SpawnOptions program = shell("echo x; read line");
    int gate[2];
    REQUIRE(pipe2(gate, O_CLOEXEC) == 0);
    const UniqueFd gate_out(gate[0]);
    UniqueFd opens(gate[1]);
    program.streams.input = Stdio::descriptor(gate_out.get());
    Begun run(context, program);
    run.signal.emit(asio::cancellation_type::total);
    CHECK(context.poll() == 0);
    opens.reset();
    context.run();
    CHECK(run.completion.count == 1);
    CHECK(run.completion.failure == nullptr);
    CHECK(run.completion.result.end == RunEnd::program);
}

TEST_CASE("a run that its own descriptor cancels has a result and no error") {
    const NothingIsLeft nothing;
    int cancel[2];
    REQUIRE(pipe2(cancel, O_CLOEXEC) == 0);
    const UniqueFd cancel_out(cancel[0]);
    UniqueFd cancels(cancel[1]);
    SpawnOptions program = session("echo x; sleep 1000");
    program.setup.cancel_when_readable = cancel_out.get();
    asio::io_context context;
    Begun run(context, program);
    cancels.reset();
    context.run();
    CHECK(run.completion.failure == nullptr);
    CHECK(run.completion.result.end == RunEnd::cancelled);
    CHECK(run.completion.result.output == "x\n");
}

// The end of the loop.

TEST_CASE("a loop that is destroyed before it ran never has a child") {
    const NothingIsLeft nothing;
    int parts = 0;
    SyncedSpawner spawner({.program = "true"});
    spawner.step({.name = "x", .parent = [&](ParentSide&) { ++parts; }});
    {
        asio::io_context context;
        start(context, spawner, {},
              [](const std::exception_ptr&, const RunResult&) { CHECK(false); });
    }
    CHECK(parts == 0);
}

TEST_CASE("a loop that is destroyed ends its runs as the options say, and calls nobody back") {
    const NothingIsLeft nothing;
    int told[2];
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    const UniqueFd tells(told[0]);
    UniqueFd told_in(told[1]);
    SpawnOptions program =
        session("trap 'echo bye; echo bye >&2; exit' TERM; echo x; sleep 1000 & wait");
    program.streams.error = Stdio::descriptor(told_in.get());
    int calls = 0;
    {
        asio::io_context context;
        start(context, program,
              {.stop = {Stop::terminate(1h)},
               .output = {.receive = [&](std::string_view) { ++calls; }}},
              [](const std::exception_ptr&, const RunResult&) { CHECK(false); });
        while (calls == 0) {
            context.run_one();
        }
    }
    told_in.reset();
    CHECK(read_all(tells.get()) == "bye\n");
    CHECK(calls == 1);
}

// Each program leaves only when all have been told to end: none would by itself.
TEST_CASE("a loop that is destroyed tells all runs to end before it waits for any") {
    const NothingIsLeft nothing;
    constexpr std::size_t count = 20;
    int told[2];
    int gate[2];
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    REQUIRE(pipe2(gate, O_CLOEXEC) == 0);
    const UniqueFd tells(told[0]);
    const UniqueFd gate_out(gate[0]);
    UniqueFd told_in(told[1]);
    UniqueFd opens(gate[1]);
    SpawnOptions program =
        session("trap 'echo told; read line; exit' TERM; echo ready; sleep 1000 & wait");
    program.streams.input = Stdio::descriptor(gate_out.get());
    program.streams.output = Stdio::descriptor(told_in.get());
    const auto lines_of = [&](std::size_t number) {
        std::string text;
        char letter = 0;
        while (std::ranges::count(text, '\n') < static_cast<std::ptrdiff_t>(number) &&
               read(tells.get(), &letter, 1) == 1) {
            text += letter;
        }
        return text;
    };
    std::string heard;
    std::jthread opener;
    {
        asio::io_context context;
        for (std::size_t one = 0; one < count; ++one) {
            start(context, program, {.stop = {Stop::terminate(1h)}, .output = {}, .error = {}},
                  [](const std::exception_ptr&, const RunResult&) { CHECK(false); });
        }
        std::jthread loop([&] { context.run(); });
        heard = lines_of(count);
        context.stop();
        loop.join();
        opener = std::jthread([&] {
            heard += lines_of(count);
            opens.reset();
        });
    }
    opener.join();
    CHECK(std::ranges::count(heard, 'y') == count);
    CHECK(std::ranges::count(heard, 't') == count);
}

// Asio's own pipes.

// For its own end Asio sets O_NONBLOCK, which belongs to an open file description. The ends of a pipe are two.
TEST_CASE("a pipe that Asio reads does not become non-blocking for the program") {
    const NothingIsLeft nothing;
    asio::io_context context;
    SpawnOptions program = shell("read line; grep flags: /proc/self/fdinfo/1");
    program.streams.input = Stdio::pipe();
    program.streams.output = Stdio::pipe();
    Process child = SyncedSpawner(program).spawn();
    asio::readable_pipe output(context, child.take_standard_output().release());
    std::string text;
    asio::async_read(output, asio::dynamic_buffer(text), [](auto, std::size_t) {});
    context.poll();
    CHECK((fcntl(output.native_handle(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK(write(child.standard_input(), "\n", 1) == 1);
    context.run();
    REQUIRE(text.starts_with("flags:"));
    CHECK((std::stoul(text.substr(text.find_first_of('0')), nullptr, 8) & O_NONBLOCK) == 0);
    CHECK(child.wait().success());
}
