#include <syncspawn/boost/async_wait_exit.hpp>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <syncspawn/boost/synced_launcher.hpp>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"

// Waits for the end of a process from an event loop of Asio: of ours, and of Boost.Process, whoever has
// launched it.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;
using syncspawn::for_boost::async_wait_exit;
using ErrorCode = boost::system::error_code;
namespace asio = boost::asio;
namespace v2 = boost::process::v2;

namespace {

// The three kinds of process, as the tests see them. The program is a shell; it ends by the signals that
// the tests send, or by itself.

struct Ours {
    Ours(asio::io_context& context, const std::string& text)
        : context_(context), process(SyncedSpawner(shell(text)).spawn()) {}
    template <class... Arguments>
    auto wait(Arguments&&... arguments) {
        return async_wait_exit(context_, process, std::forward<Arguments>(arguments)...);
    }
    pid_t pid() const { return process.pid(); }

    static bool is_code(ExitStatus status, int code) { return status == ExitStatus::exited(code); }
    static bool is_signal(ExitStatus status, int signal) { return status.signal() == signal; }
    using Status = ExitStatus;

private:
    asio::io_context& context_;

public:
    Process process;
};

struct Foreign {
    explicit Foreign(v2::process its_process) : process(std::move(its_process)) {}
    template <class... Arguments>
    auto wait(Arguments&&... arguments) {
        return async_wait_exit(process, std::forward<Arguments>(arguments)...);
    }
    pid_t pid() const { return process.id(); }

    static bool is_code(int status, int code) { return status == code; }
    // exit_code() of Boost.Process is the number of the signal then.
    static bool is_signal(int status, int signal) { return status == signal; }
    using Status = int;

    v2::process process;
};

struct OfStockLauncher : Foreign {
    OfStockLauncher(asio::io_context& context, const std::string& text)
        : Foreign(v2::posix::default_launcher()(context, "/bin/sh",
                                                std::vector<std::string>{"-c", text})) {}
};

struct OfSyncedLauncher : Foreign {
    OfSyncedLauncher(asio::io_context& context, const std::string& text)
        : Foreign(syncspawn::for_boost::SyncedLauncher()(context, "/bin/sh",
                                                         std::vector<std::string>{"-c", text})) {}
};

// What one wait completed with.
template <class Status>
struct Result {
    int completions = 0;
    ErrorCode error;
    std::optional<Status> status;

    auto handler() {
        return [this](ErrorCode its_error, Status its_status) {
            ++completions;
            error = its_error;
            status = its_status;
        };
    }
};

// Runs what is ready until nothing is any more, for as long as nothing new happens.
void settle(asio::io_context& context) {
    while (context.poll() > 0) {
    }
}

constexpr const char* stays = "kill -STOP $$; exit 5";  // until it is continued

#define EVERY_KIND Ours, OfStockLauncher, OfSyncedLauncher

}  // namespace

TEST_CASE_TEMPLATE("an exit code or a signal is what the wait completes with", Kind, EVERY_KIND) {
    const NothingIsLeft nothing;
    for (const int code : {0, 1, 42, 255}) {
        CAPTURE(code);
        asio::io_context context;
        Kind kind(context, "exit " + std::to_string(code));
        Result<typename Kind::Status> result;
        kind.wait(result.handler());
        context.run();
        CHECK(result.completions == 1);
        CHECK_FALSE(result.error);
        CHECK(Kind::is_code(*result.status, code));
    }
    for (const int signal : {SIGTERM, SIGKILL}) {
        CAPTURE(signal);
        asio::io_context context;
        Kind kind(context, "kill -" + std::to_string(signal) + " $$");
        Result<typename Kind::Status> result;
        kind.wait(result.handler());
        context.run();
        CHECK_FALSE(result.error);
        CHECK(Kind::is_signal(*result.status, signal));
    }
}

TEST_CASE_TEMPLATE("any number of waits get the status, before and after it was reaped", Kind,
                   EVERY_KIND) {
    const NothingIsLeft nothing;
    asio::io_context context;
    Kind kind(context, stays);
    REQUIRE(comes_to_state(kind.pid(), 'T'));
    std::vector<Result<typename Kind::Status>> results(20);
    for (auto& result : results) {
        kind.wait(result.handler());
    }
    settle(context);
    kill(kind.pid(), SIGCONT);
    context.run();
    context.restart();
    for (int count = 0; count < 3; ++count) {
        results.emplace_back();
    }
    for (auto result = results.end() - 3; result != results.end(); ++result) {
        kind.wait(result->handler());
        CHECK(result->completions == 0);  // also if it is satisfied already
    }
    context.run();
    for (const auto& result : results) {
        CHECK(result.completions == 1);
        CHECK_FALSE(result.error);
        CHECK(Kind::is_code(*result.status, 5));
    }
}

TEST_CASE_TEMPLATE("what wakes a wait for nothing neither ends it nor blocks the loop", Kind,
                   EVERY_KIND) {
    const NothingIsLeft nothing;
    asio::io_context context;
    Kind kind(context, "while :; do kill -STOP $$; done");
    Result<typename Kind::Status> result;
    kind.wait(result.handler());
    for (int times = 0; times < 5; ++times) {
        // The state is seen before the loop runs, so whatever a stop wakes has been woken.
        REQUIRE(comes_to_state(kind.pid(), 'T'));
        settle(context);
        CHECK(context.poll() == 0);
        CHECK(context.poll() == 0);
        CHECK(result.completions == 0);
        kill(kind.pid(), SIGCONT);
    }
    kill(kind.pid(), SIGKILL);
    context.run();
    CHECK(Kind::is_signal(*result.status, SIGKILL));
}

// A process that is stopped does not end, so the deadlines may be as short as one likes.
TEST_CASE_TEMPLATE("a deadline ends a wait, and leaves the process alone", Kind, EVERY_KIND) {
    const NothingIsLeft nothing;
    asio::io_context context;
    Kind kind(context, stays);
    REQUIRE(comes_to_state(kind.pid(), 'T'));
    const auto soon = std::chrono::steady_clock::now() + 20ms;
    for (const Deadline deadline : {Deadline(), Deadline::min(), soon}) {
        Result<typename Kind::Status> result;
        kind.wait(deadline, result.handler());
        CHECK(result.completions == 0);
        context.run();
        context.restart();
        CHECK(result.completions == 1);
        CHECK(result.error == asio::error::timed_out);
        CHECK(std::chrono::steady_clock::now() >= deadline);
    }
    CHECK(state_of(kind.pid()) == 'T');
    kill(kind.pid(), SIGCONT);
    Result<typename Kind::Status> result;
    kind.wait(Deadline::max(), result.handler());
    context.run();
    CHECK_FALSE(result.error);
    CHECK(Kind::is_code(*result.status, 5));
    // It has ended: a deadline in the past no longer matters.
    context.restart();
    kind.wait(Deadline(), result.handler());
    context.run();
    CHECK(result.completions == 2);
    CHECK_FALSE(result.error);
}

TEST_CASE_TEMPLATE("a cancelled wait leaves the process and the other waits alone", Kind,
                   EVERY_KIND) {
    const NothingIsLeft nothing;
    for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                            asio::cancellation_type::total}) {
        CAPTURE(static_cast<int>(type));
        for (const bool waits_already : {false, true}) {
            CAPTURE(waits_already);
            asio::io_context context;
            Kind kind(context, stays);
            REQUIRE(comes_to_state(kind.pid(), 'T'));
            asio::cancellation_signal signal;
            Result<typename Kind::Status> cancelled, other;
            kind.wait(asio::bind_cancellation_slot(signal.slot(), cancelled.handler()));
            kind.wait(other.handler());
            if (waits_already) {
                settle(context);
            }
            signal.emit(type);
            CHECK(cancelled.completions == 0);
            settle(context);
            CHECK(cancelled.completions == 1);
            CHECK(cancelled.error == asio::error::operation_aborted);
            CHECK(other.completions == 0);
            CHECK(state_of(kind.pid()) == 'T');
            kill(kind.pid(), SIGCONT);
            context.run();
            signal.emit(type);  // too late: nothing
            CHECK(other.completions == 1);
            CHECK(Kind::is_code(*other.status, 5));
        }
    }
}

TEST_CASE_TEMPLATE("a loop that is destroyed drops the wait without completing it", Kind,
                   EVERY_KIND) {
    const NothingIsLeft nothing;
    Result<typename Kind::Status> result;
    {
        asio::io_context context;
        Kind kind(context, stays);
        REQUIRE(comes_to_state(kind.pid(), 'T'));
        kind.wait(result.handler());
        SUBCASE("before it ran") {}
        SUBCASE("while it waits") { settle(context); }
        if constexpr (!std::is_same_v<Kind, Ours>) {
            // Boost.Process up to 1.87 kills in the destructor, but reaps by waitpid only there.
            kind.process.terminate();
        }
    }
    CHECK(result.completions == 0);
}

TEST_CASE_TEMPLATE("every completion token is taken", Kind, EVERY_KIND) {
    using namespace asio::experimental::awaitable_operators;
    const NothingIsLeft nothing;
    asio::io_context context;
    Kind kind(context, stays);
    REQUIRE(comes_to_state(kind.pid(), 'T'));
    auto future = kind.wait(asio::use_future);
    auto late = kind.wait(Deadline(), asio::use_future);
    auto deferred = kind.wait(asio::deferred);
    Result<typename Kind::Status> result;
    std::move(deferred)(result.handler());
    bool has_ended = false;
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            CHECK_THROWS_AS((void)co_await kind.wait(Deadline(), asio::use_awaitable),
                            boost::system::system_error);
            const auto [error, unknown] =
                co_await kind.wait(Deadline(), asio::as_tuple(asio::use_awaitable));
            CHECK(error == asio::error::timed_out);
            (void)unknown;
            kill(kind.pid(), SIGCONT);
            // Whichever wins, it is the same end.
            auto first = co_await (kind.wait(asio::use_awaitable) ||
                                   kind.wait(Deadline::max(), asio::use_awaitable));
            CHECK(std::visit([](auto status) { return Kind::is_code(status, 5); }, first));
            has_ended = true;
        },
        [](const std::exception_ptr& failure) { CHECK(failure == nullptr); });
    context.run();
    CHECK(has_ended);
    CHECK(Kind::is_code(future.get(), 5));
    CHECK_THROWS_AS((void)late.get(), boost::system::system_error);
    CHECK(Kind::is_code(*result.status, 5));
}

TEST_CASE("a coroutine may have a status as its result") {
    const NothingIsLeft nothing;
    asio::io_context context;
    Process process = SyncedSpawner(shell("exit 5")).spawn();
    auto status = asio::co_spawn(
        context,
        [&]() -> asio::awaitable<ExitStatus> {
            co_return co_await async_wait_exit(context, process, asio::use_awaitable);
        },
        asio::use_future);
    context.run();
    CHECK(status.get() == ExitStatus::exited(5));
}

TEST_CASE_TEMPLATE("the handler runs on its own executor", Kind, EVERY_KIND) {
    const NothingIsLeft nothing;
    asio::io_context context;
    asio::thread_pool pool(1);
    const auto strand = asio::make_strand(pool);
    Kind kind(context, "exit 5");
    bool on_strand = false;
    std::thread::id thread;
    auto work = asio::make_work_guard(context);
    kind.wait(asio::bind_executor(strand, [&](ErrorCode error, typename Kind::Status status) {
        on_strand = strand.running_in_this_thread() && !error && Kind::is_code(status, 5);
        thread = std::this_thread::get_id();
        work.reset();
    }));
    context.run();
    pool.join();
    CHECK(on_strand);
    CHECK(thread != std::this_thread::get_id());
}

// Somebody else.

TEST_CASE_TEMPLATE("a process that somebody else has reaped is ECHILD", Kind, OfStockLauncher,
                   OfSyncedLauncher) {
    const NothingIsLeft nothing;
    asio::io_context context;
    Kind kind(context, stays);
    REQUIRE(comes_to_state(kind.pid(), 'T'));
    Result<int> result;
    SUBCASE("before the wait") {}
    SUBCASE("during the wait") {
        kind.wait(result.handler());
        settle(context);
    }
    const bool waits_already = context.poll() == 0 && !context.stopped();
    kill(kind.pid(), SIGKILL);
    REQUIRE(waitpid(kind.pid(), nullptr, 0) == kind.pid());
    if (!waits_already) {
        context.restart();
        kind.wait(result.handler());
    }
    context.run();
    CHECK(result.completions == 1);
    CHECK(result.error == ErrorCode(ECHILD, boost::system::system_category()));
    kind.process.detach();
}

TEST_CASE("our process that somebody else has reaped has an unknown end") {
    const NothingIsLeft nothing;
    asio::io_context context;
    Ours ours(context, stays);
    REQUIRE(comes_to_state(ours.pid(), 'T'));
    Result<ExitStatus> result;
    ours.wait(result.handler());
    settle(context);
    kill(ours.pid(), SIGKILL);
    REQUIRE(waitpid(ours.pid(), nullptr, 0) == ours.pid());
    context.run();
    CHECK(result.completions == 1);
    CHECK_FALSE(result.error);
    CHECK(result.status == ExitStatus::unknown());
}

TEST_CASE("no process is an error, and not a wait") {
    asio::io_context context;
    v2::process none(context);
    Result<int> result;
    async_wait_exit(none, result.handler());
    CHECK(result.completions == 0);
    context.run();
    CHECK(result.completions == 1);
    CHECK(result.error);
}

TEST_CASE("a process object that knows its end already completes with it") {
    const NothingIsLeft nothing;
    asio::io_context context;
    OfStockLauncher foreign(context, "exit 7");
    CHECK(foreign.process.wait() == 7);
    Result<int> result;
    foreign.wait(result.handler());
    Ours ours(context, "exit 8");
    CHECK(ours.process.wait() == ExitStatus::exited(8));
    Result<ExitStatus> of_ours;
    ours.wait(of_ours.handler());
    context.run();
    CHECK_FALSE(result.error);
    CHECK(result.status == 7);
    CHECK(of_ours.status == ExitStatus::exited(8));
}

TEST_CASE("where there is no process the handler hears of it") {
    asio::io_context context;
    Process none;
    std::optional<ErrorCode> seen;
    async_wait_exit(context, none, [&](ErrorCode error, ExitStatus) { seen = error; });
    CHECK_FALSE(seen);
    context.run();
    CHECK(seen == ErrorCode(asio::error::bad_descriptor));
}
