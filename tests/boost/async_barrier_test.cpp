#include <syncspawn/boost/async_barrier.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

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
#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "support/both_sides.hpp"
#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/sanitizers.hpp"
#include "support/skip.hpp"

// One side of a barrier in an event loop of Asio, against a peer that blocks.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;
using syncspawn::for_boost::AsyncBarrier;
using ErrorCode = boost::system::error_code;
namespace asio = boost::asio;

namespace {

enum class Does { wait_next, sync, place_and_sync, wait_abortion };
constexpr Does every_operation[]{Does::wait_next, Does::sync, Does::place_and_sync,
                                 Does::wait_abortion};

template <class... DeadlineAndToken>
auto begin(AsyncBarrier& barrier, Does what, DeadlineAndToken&&... rest) {
    switch (what) {
        case Does::wait_next:
            return barrier.async_wait_next(std::forward<DeadlineAndToken>(rest)...);
        case Does::sync:
            return barrier.async_sync(std::forward<DeadlineAndToken>(rest)...);
        case Does::place_and_sync:
            return barrier.async_place_and_sync(std::forward<DeadlineAndToken>(rest)...);
        case Does::wait_abortion:
            break;
    }
    return barrier.async_wait_abortion(std::forward<DeadlineAndToken>(rest)...);
}

// What one operation completed with.
struct Result {
    int completions = 0;
    ErrorCode error;
    Outcome outcome = Outcome::failed;

    auto handler() {
        return [this](ErrorCode its_error, Outcome its_outcome) {
            ++completions;
            error = its_error;
            outcome = its_outcome;
        };
    }
};

void check(const Result& result, Outcome outcome) {
    CHECK(result.completions == 1);
    CHECK_FALSE(result.error);
    CHECK(std::string(to_string(result.outcome)) == to_string(outcome));
}

void check_failed(const Result& result, int error) {
    CHECK(result.completions == 1);
    CHECK(result.error.default_error_condition() ==
          boost::system::error_condition(error, boost::system::generic_category()));
    CHECK(result.outcome == Outcome::failed);
}

void check_aborted(const Result& result) {
    CHECK(result.completions == 1);
    CHECK(result.error == asio::error::operation_aborted);
    CHECK(result.outcome == Outcome::failed);
}

// The child's side, forked before there is a loop, and what it does: one letter for each turn that it is
// given. 'p' places, 'a' aborts, 'm' is a rendezvous, 'e' ends; after the last it stays until this side is
// gone.
class Meeting {
public:
    explicit Meeting(const std::string& turns)
        : pair_(Barrier::pair()), peer_([this, turns] { play(std::move(pair_).child(), turns); }) {
        side_ = std::move(pair_).parent();
    }
    Meeting(const Meeting&) = delete;
    Meeting& operator=(const Meeting&) = delete;

    Barrier take_side() { return std::move(side_); }
    UniqueFd pidfd() const {
        return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, peer_.pid(), 0)));
    }
    // Returns when the peer has done it.
    void turn() {
        const int next = ++turn_;
        begin_[next - 1].open();
        REQUIRE(done_[next - 1].wait());
    }
    // The same for one that blocks, or ends.
    void begin_turn() { begin_[turn_++].open(); }
    std::string ending() { return peer_.ending(); }

private:
    void play(Barrier side, const std::string& turns) {
        int next = 0;
        for (const char what : turns) {
            begin_[next].wait();
            if (what == 'e') {
                return;
            }
            expect_outcome(what == 'p'   ? side.place()
                           : what == 'a' ? side.abort()
                                         : side.place_and_sync(),
                           Outcome::reached);
            done_[next++].open();
        }
        await_hang_up(side);
    }

    Gate begin_[3], done_[3];
    int turn_ = 0;
    BarrierPair pair_;
    Barrier side_;
    Peer peer_;
};

// Runs what is ready until nothing is any more, for as long as nothing new happens.
void settle(asio::io_context& context) {
    while (context.poll() > 0) {
    }
    context.restart();
}

// What makes this side owe the peer nothing less than one place.
void prepare(AsyncBarrier& barrier, Does what) {
    if (what == Does::sync) {
        REQUIRE(barrier.barrier().place() == Outcome::reached);
    }
}

}  // namespace

// Outcomes.

// When the operation begins, what it waits for has happened, or it is told to happen only after the
// operation has been seen to wait.
TEST_CASE("each operation ends as the blocking one, by a place, an abort or the end of the peer") {
    const NothingIsLeft nothing;
    for (const Does what : every_operation) {
        for (const char event : {'p', 'a', 'e'}) {
            for (const bool was_before : {true, false}) {
                for (const bool has_pidfd : {true, false}) {
                    if (what == Does::wait_abortion && event == 'p') {
                        continue;
                    }
                    CAPTURE(static_cast<int>(what));
                    CAPTURE(event);
                    CAPTURE(was_before);
                    CAPTURE(has_pidfd);
                    Meeting meeting(std::string(1, event));
                    asio::io_context context;
                    AsyncBarrier barrier(context, meeting.take_side(),
                                         has_pidfd ? meeting.pidfd() : UniqueFd());
                    prepare(barrier, what);
                    const auto let_it_happen = [&] {
                        event == 'e' ? meeting.begin_turn() : meeting.turn();
                    };
                    Result result;
                    if (was_before) {
                        let_it_happen();
                        if (event == 'e') {
                            CHECK(meeting.ending() == reached_the_end);
                        }
                    }
                    asio::post(context, [&] {
                        begin(barrier, what, result.handler());
                        CHECK(result.completions == 0);
                    });
                    CHECK(context.run_one() == 1);
                    CHECK(result.completions == 0);
                    if (!was_before) {
                        settle(context);
                        CHECK(context.poll() == 0);  // and it does not keep the loop busy
                        CHECK(context.poll() == 0);
                        CHECK(result.completions == 0);
                        let_it_happen();
                    }
                    context.restart();
                    context.run();
                    check(result, what == Does::wait_abortion || event == 'p' ? Outcome::reached
                                  : event == 'a' ? Outcome::aborted_there
                                                 : Outcome::peer_gone);
                }
            }
        }
    }
}

TEST_CASE("after an abort on this side only wait_abortion still listens") {
    const NothingIsLeft nothing;
    for (const Does what : every_operation) {
        CAPTURE(static_cast<int>(what));
        Meeting meeting("");
        asio::io_context context;
        AsyncBarrier barrier(context, meeting.take_side());
        prepare(barrier, what);
        CHECK(barrier.barrier().abort() == Outcome::reached);
        Result result;
        begin(barrier, what, Deadline(), result.handler());
        context.run();
        check(result, what == Does::wait_abortion ? Outcome::timed_out : Outcome::aborted_here);
    }
}

// The peer does nothing, so the deadlines may be as short as one likes.
TEST_CASE("a deadline ends an operation, and leaves the barrier as it is") {
    const NothingIsLeft nothing;
    for (const Does what : every_operation) {
        CAPTURE(static_cast<int>(what));
        Meeting meeting("pa");
        asio::io_context context;
        AsyncBarrier barrier(context, meeting.take_side());
        prepare(barrier, what);
        const auto soon = std::chrono::steady_clock::now() + 20ms;
        for (const Deadline deadline : {Deadline(), Deadline::min(), soon}) {
            Result result;
            begin(barrier, what == Does::place_and_sync && deadline == soon ? Does::sync : what,
                  deadline, result.handler());
            CHECK(result.completions == 0);
            context.run();
            context.restart();
            check(result, Outcome::timed_out);
            CHECK(std::chrono::steady_clock::now() >= deadline);
        }
        Result result;
        begin(barrier, Does::wait_next, Deadline::max(), result.handler());
        meeting.turn();
        context.run();
        context.restart();
        check(result, Outcome::reached);
        // What has happened counts, also when the deadline has passed.
        meeting.turn();
        Result late;
        begin(barrier, what, Deadline(), late.handler());
        context.run();
        // By the place before, what was to be made up for has been.
        const bool is_reached = what == Does::wait_abortion || what == Does::sync;
        check(late, is_reached ? Outcome::reached : Outcome::aborted_there);
    }
}

TEST_CASE("an operation of an empty barrier is misuse") {
    for (const Does what : every_operation) {
        CAPTURE(static_cast<int>(what));
        asio::io_context context;
        AsyncBarrier barrier(context, Barrier());
        Result result;
        begin(barrier, what, result.handler());
        CHECK(result.completions == 0);
        context.run();
        check_failed(result, EINVAL);
    }
}

TEST_CASE("a descriptor that somebody replaces during the wait is a failure for ever") {
    const NothingIsLeft nothing;
    for (const Does what : every_operation) {
        CAPTURE(static_cast<int>(what));
        Meeting meeting("p");
        asio::io_context context;
        AsyncBarrier barrier(context, meeting.take_side());
        prepare(barrier, what);
        Result result;
        begin(barrier, what, result.handler());
        settle(context);
        const UniqueFd directory(open("/", O_RDONLY | O_CLOEXEC));
        REQUIRE(dup3(directory.get(), barrier.barrier().native()->remote_fd, O_CLOEXEC) >= 0);
        meeting.turn();  // the wait is for what the number meant, which the peer has open
        context.run();
        check_failed(result, EISDIR);
        context.restart();
        Result again;
        begin(barrier, what, again.handler());
        context.run();
        check_failed(again, EISDIR);
    }
}

TEST_CASE("an operation for whose wait there is no descriptor fails, and the next one does not") {
#if defined(SYNCSPAWN_ADDRESS_SANITIZER)
    // The sanitizer `vptr`, which comes with it, needs a pipe to look at the exception thrown then.
    SKIP_TEST("the sanitizer itself needs descriptors here");
#endif
    const NothingIsLeft nothing;
    for (const Does what : every_operation) {
        for (const bool has_loop_its_own : {true, false}) {
            CAPTURE(static_cast<int>(what));
            CAPTURE(has_loop_its_own);
            Meeting meeting("a");
            asio::io_context context;
            std::optional<asio::steady_timer> opens_what_the_loop_needs;
            if (has_loop_its_own) {
                opens_what_the_loop_needs.emplace(context);
            }
            AsyncBarrier barrier(context, meeting.take_side());
            prepare(barrier, what);
            Result result;
            begin(barrier, what, result.handler());
            rlimit usual{};
            REQUIRE(getrlimit(RLIMIT_NOFILE, &usual) == 0);
            const rlimit none{5, usual.rlim_max};  // what there is is open by now
            REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
            context.run();
            REQUIRE(setrlimit(RLIMIT_NOFILE, &usual) == 0);
            check_failed(result, EMFILE);
            meeting.turn();
            context.restart();
            Result again;
            barrier.async_wait_abortion(again.handler());
            context.run();
            check(again, Outcome::reached);
        }
    }
}

// Completion tokens.

TEST_CASE("every completion token is taken") {
    using namespace asio::experimental::awaitable_operators;
    const NothingIsLeft nothing;
    for (const Does what : every_operation) {
        CAPTURE(static_cast<int>(what));
        Meeting meeting("pa");
        asio::io_context context;
        AsyncBarrier barrier(context, meeting.take_side());
        prepare(barrier, what);
        auto future = begin(barrier, what, asio::use_future);
        auto deferred = begin(barrier, Does::wait_next, asio::deferred);
        Result result;
        std::move(deferred)(result.handler());
        bool has_ended = false;
        asio::co_spawn(
            context,
            [&]() -> asio::awaitable<void> {
                // A place wins against an abort that there is not; this cancels the other.
                auto first = co_await (barrier.async_wait_next(asio::use_awaitable) ||
                                       barrier.async_wait_abortion(asio::use_awaitable));
                CHECK(first.index() == 0);
                CHECK(std::get<0>(first) == Outcome::reached);
                meeting.turn();
                CHECK(co_await barrier.async_wait_abortion(asio::use_awaitable) ==
                      Outcome::reached);
                const auto [error, outcome] =
                    co_await barrier.async_sync(asio::as_tuple(asio::use_awaitable));
                CHECK_FALSE(error);
                CHECK(outcome == Outcome::aborted_there);
                barrier = AsyncBarrier(context, Barrier());
                CHECK_THROWS_AS((void)co_await barrier.async_sync(asio::use_awaitable),
                                boost::system::system_error);
                has_ended = true;
            },
            [](const std::exception_ptr& failure) { CHECK(failure == nullptr); });
        settle(context);
        meeting.turn();
        context.run();
        CHECK(has_ended);
        CHECK(future.get() == Outcome::reached);
        check(result, Outcome::reached);
    }
}

// Meanwhile this thread leaves the barrier alone: it belongs to the strand.
TEST_CASE("the handler runs on its own executor") {
    const NothingIsLeft nothing;
    for (const Does what : every_operation) {
        CAPTURE(static_cast<int>(what));
        Meeting meeting("pa");
        asio::io_context context;
        asio::thread_pool pool(1);
        const auto strand = asio::make_strand(pool);
        AsyncBarrier barrier(context, meeting.take_side());
        prepare(barrier, what);
        bool on_strand = false;
        std::thread::id thread;
        auto work = asio::make_work_guard(context);
        begin(barrier, what, asio::bind_executor(strand, [&](ErrorCode error, Outcome outcome) {
                  on_strand = strand.running_in_this_thread();
                  thread = std::this_thread::get_id();
                  CHECK_FALSE(error);
                  CHECK(outcome == Outcome::reached);
                  work.reset();
              }));
        meeting.turn();
        if (what == Does::wait_abortion) {
            meeting.turn();
        }
        context.run();
        pool.join();
        CHECK(on_strand);
        CHECK(thread != std::this_thread::get_id());
    }
}

// Cancellation.

TEST_CASE("a cancelled operation leaves the barrier usable, and the next one sees the place") {
    const NothingIsLeft nothing;
    for (const Does what : every_operation) {
        for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                                asio::cancellation_type::total}) {
            for (const bool waits_already : {false, true}) {
                CAPTURE(static_cast<int>(what));
                CAPTURE(static_cast<int>(type));
                CAPTURE(waits_already);
                const bool is_refused =
                    what == Does::place_and_sync && type == asio::cancellation_type::total;
                Meeting meeting("p");
                asio::io_context context;
                AsyncBarrier barrier(context, meeting.take_side());
                prepare(barrier, what);
                asio::cancellation_signal signal;
                Result result;
                begin(barrier, what, asio::bind_cancellation_slot(signal.slot(), result.handler()));
                if (waits_already) {
                    settle(context);
                }
                signal.emit(type);
                CHECK(result.completions == 0);
                settle(context);
                if (is_refused) {
                    CHECK(result.completions == 0);
                } else {
                    check_aborted(result);
                }
                // The place of one that waited stays; one that never began made none.
                const bool has_placed = what == Does::sync || is_refused ||
                                        (what == Does::place_and_sync && waits_already);
                CHECK(barrier.barrier().status().balance == (has_placed ? 1 : 0));
                Result next;
                barrier.async_wait_next(next.handler());
                meeting.turn();
                context.run();
                check(next, Outcome::reached);
                if (is_refused) {
                    check(result, Outcome::reached);
                }
                signal.emit(type);  // too late: nothing
            }
        }
    }
}

TEST_CASE("cancel, the destructor and an assignment end every outstanding operation") {
    const NothingIsLeft nothing;
    void (*end)(asio::io_context&, std::optional<AsyncBarrier>&) = nullptr;
    bool closes = true;
    SUBCASE("cancel") {
        closes = false;
        end = [](asio::io_context&, std::optional<AsyncBarrier>& barrier) { barrier->cancel(); };
    }
    SUBCASE("destructor") {
        end = [](asio::io_context&, std::optional<AsyncBarrier>& barrier) { barrier.reset(); };
    }
    SUBCASE("assignment") {
        end = [](asio::io_context& context, std::optional<AsyncBarrier>& barrier) {
            *barrier = AsyncBarrier(context, Barrier());
        };
    }
    for (const bool waits_already : {false, true}) {
        CAPTURE(waits_already);
        Meeting meeting("p");
        asio::io_context context;
        std::optional<AsyncBarrier> barrier(std::in_place, context, meeting.take_side());
        std::vector<Result> results(std::size(every_operation));
        for (std::size_t index = 0; index < results.size(); ++index) {
            prepare(*barrier, every_operation[index]);
            begin(*barrier, every_operation[index], results[index].handler());
        }
        if (waits_already) {
            settle(context);
        }
        end(context, barrier);
        for (const Result& result : results) {
            CHECK(result.completions == 0);
        }
        settle(context);
        for (const Result& result : results) {
            check_aborted(result);
        }
        if (closes) {
            meeting.begin_turn();  // and then the peer stays until this side is closed
            CHECK(meeting.ending() == reached_the_end);
        } else {
            Result next;
            barrier->async_wait_next(next.handler());
            meeting.turn();
            context.run();
            check(next, Outcome::reached);
        }
    }
}

TEST_CASE("operations go on when their object moves") {
    const NothingIsLeft nothing;
    Meeting meeting("p");
    asio::io_context context;
    AsyncBarrier barrier(context, meeting.take_side());
    Result result;
    barrier.async_wait_next(result.handler());
    settle(context);
    AsyncBarrier moved(std::move(barrier));
    settle(context);
    CHECK(result.completions == 0);
    meeting.turn();
    context.run();
    check(result, Outcome::reached);
    CHECK(moved.get_executor() == context.get_executor());
}

TEST_CASE("a loop that is destroyed with operations outstanding leaves nothing") {
    const NothingIsLeft nothing;
    for (const bool waits_already : {false, true}) {
        for (const bool loop_first : {false, true}) {
            CAPTURE(waits_already);
            CAPTURE(loop_first);
            Meeting meeting("p");
            std::optional<asio::io_context> context(std::in_place);
            std::optional<AsyncBarrier> barrier(std::in_place, *context, meeting.take_side());
            std::vector<Result> results(std::size(every_operation));
            for (std::size_t index = 0; index < results.size(); ++index) {
                prepare(*barrier, every_operation[index]);
                begin(*barrier, every_operation[index], Deadline::max(), results[index].handler());
            }
            if (waits_already) {
                settle(*context);
            }
            if (loop_first) {
                context.reset();
                CHECK(barrier->barrier().is_open());
                barrier.reset();
            } else {
                barrier.reset();
                context.reset();
            }
            for (const Result& result : results) {
                CHECK(result.completions == 0);
            }
        }
    }
}

// More than one.

// The order in which they begin is the order in which they look.
TEST_CASE("of several operations at once each gets what it waits for, whichever reads it") {
    const NothingIsLeft nothing;
    using enum Does;
    const std::vector<std::vector<Does>> groups{
        {wait_next, wait_abortion},
        {wait_abortion, wait_next},
        {wait_next, wait_next},
        {sync, wait_abortion},
        {wait_abortion, sync},
        {wait_next, sync},
        {sync, wait_next},
        {place_and_sync, wait_next},
        {wait_next, place_and_sync},
        {wait_abortion, wait_abortion},
        {place_and_sync, wait_abortion, wait_next, sync, wait_next}};
    for (const auto& group : groups) {
        for (const bool wait_already : {false, true}) {
            std::string names;
            for (const Does what : group) {
                names += std::to_string(static_cast<int>(what));
            }
            CAPTURE(names);
            CAPTURE(wait_already);
            Meeting meeting("pa");
            asio::io_context context;
            AsyncBarrier barrier(context, meeting.take_side());
            std::vector<Result> results(group.size());
            bool owes = false;  // one place at most, as the peer makes one
            for (const Does what : group) {
                owes = owes || what == place_and_sync;
            }
            for (std::size_t index = 0; index < group.size(); ++index) {
                if (group[index] == sync && !std::exchange(owes, true)) {
                    prepare(barrier, sync);
                }
                begin(barrier, group[index], results[index].handler());
            }
            if (wait_already) {
                settle(context);
            }
            meeting.turn();
            settle(context);
            for (std::size_t index = 0; index < group.size(); ++index) {
                CAPTURE(index);
                if (group[index] == wait_abortion) {
                    CHECK(results[index].completions == 0);
                } else {
                    check(results[index], Outcome::reached);
                }
            }
            // An abort is for all that are still there, too.
            Result next;
            barrier.async_wait_next(next.handler());
            meeting.turn();
            context.run();
            check(next, Outcome::aborted_there);
            for (std::size_t index = 0; index < group.size(); ++index) {
                if (group[index] == wait_abortion) {
                    check(results[index], Outcome::reached);
                }
            }
        }
    }
}

TEST_CASE("what is done with the barrier itself reaches the operations outstanding") {
    const NothingIsLeft nothing;
    for (const Does what : {Does::wait_next, Does::sync, Does::place_and_sync}) {
        for (const bool aborts : {false, true}) {
            CAPTURE(static_cast<int>(what));
            CAPTURE(aborts);
            Meeting meeting("p");
            asio::io_context context;
            AsyncBarrier barrier(context, meeting.take_side());
            prepare(barrier, what);
            Result result;
            begin(barrier, what, result.handler());
            settle(context);
            if (aborts) {
                CHECK(barrier.barrier().abort() == Outcome::reached);
            } else {
                meeting.turn();
                CHECK(barrier.barrier().poll_now() == Outcome::reached);  // reads the place
            }
            settle(context);
            check(result, aborts ? Outcome::aborted_here : Outcome::reached);
        }
    }
}

TEST_CASE("the end of the peer ends all operations that wait") {
    const NothingIsLeft nothing;
    Meeting meeting("e");
    asio::io_context context;
    AsyncBarrier barrier(context, meeting.take_side());
    Result next, abortion, meets;
    barrier.async_wait_next(next.handler());
    barrier.async_wait_abortion(abortion.handler());
    barrier.async_place_and_sync(meets.handler());
    settle(context);
    meeting.begin_turn();
    context.run();
    check(next, Outcome::peer_gone);
    check(abortion, Outcome::reached);
    check(meets, Outcome::peer_gone);
}

// What it shares with the peer.

TEST_CASE("the flags of the barrier's descriptors stay as they are") {
    const NothingIsLeft nothing;
    Meeting meeting("p");
    Barrier side = meeting.take_side();
    const syncspawn_barrier native = *side.native();
    const auto flags = [&] {
        return std::vector<int>{fcntl(native.local_fd, F_GETFL), fcntl(native.remote_fd, F_GETFL),
                                fcntl(native.pipe_read_fd, F_GETFL)};
    };
    const std::vector<int> before = flags();
    asio::io_context context;
    AsyncBarrier barrier(context, std::move(side));
    std::vector<Result> results(std::size(every_operation));
    for (std::size_t index = 0; index < results.size(); ++index) {
        begin(barrier, every_operation[index], results[index].handler());
    }
    settle(context);
    CHECK(flags() == before);
    meeting.turn();
    settle(context);
    CHECK(flags() == before);
    barrier.cancel();
    settle(context);
    CHECK(flags() == before);
}

TEST_CASE("a rendezvous without room for the place waits for some, and ends") {
    const NothingIsLeft nothing;
    constexpr std::uint64_t full = std::numeric_limits<std::uint64_t>::max() - 1;
    const Gate drain;
    BarrierPair pair = Barrier::pair();
    Peer peer([&] {
        Barrier side = std::move(pair).child();
        drain.wait();
        eventfd_t count = 0;
        expect(eventfd_read(side.native()->remote_fd, &count) == 0 && count == full);
        expect_outcome(side.place_and_sync(), Outcome::reached);
    });
    Barrier side = std::move(pair).parent();
    REQUIRE(eventfd_write(side.native()->local_fd, full) == 0);
    asio::io_context context;
    AsyncBarrier barrier(context, std::move(side));
    Result result;
    barrier.async_place_and_sync(result.handler());
    settle(context);
    CHECK(context.poll() == 0);
    CHECK(result.completions == 0);
    CHECK(barrier.barrier().status().balance == 0);
    drain.open();
    context.restart();
    context.run();
    check(result, Outcome::reached);
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a thousand rendezvous leave no descriptor behind") {
    const NothingIsLeft nothing;
    constexpr int rounds = 1'000;
    BarrierPair pair = Barrier::pair();
    Peer peer([&] {
        Barrier side = std::move(pair).child();
        for (int round = 0; round < rounds; ++round) {
            expect_outcome(side.place_and_sync(), Outcome::reached);
        }
    });
    Barrier side = std::move(pair).parent();
    asio::io_context context;
    AsyncBarrier barrier(context, std::move(side));
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            const asio::steady_timer opens_what_the_loop_needs(context);
            const std::vector<int> before = open_descriptors();
            for (int round = 0; round < rounds; ++round) {
                REQUIRE(co_await barrier.async_place_and_sync(asio::use_awaitable) ==
                        Outcome::reached);
            }
            CHECK(open_descriptors() == before);
            CHECK(co_await barrier.async_wait_next(asio::use_awaitable) == Outcome::peer_gone);
        },
        [](const std::exception_ptr& failure) { CHECK(failure == nullptr); });
    context.run();
    CHECK(barrier.barrier().status().seen == rounds);
    CHECK(peer.ending() == reached_the_end);
}
