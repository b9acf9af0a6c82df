#include <doctest/doctest.h>
#include <unistd.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/boost/async_spawn.hpp>
#include <syncspawn/boost/async_wait_exit.hpp>

#include "support/descriptor_limit.hpp"
#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"
#include "support/span.hpp"

// Very many launches at once from one thread: none is lost, and none leaves anything behind. It goes on
// for a span of time and says how much it did: only a wrong result fails it, no speed does.

using namespace syncspawn;
using namespace syncspawn::testing;
namespace asio = boost::asio;

namespace {

constexpr int most_in_flight = 256;

bool raise_descriptor_limit() {
    return testing::raise_descriptor_limit(rlim_t{16} * most_in_flight);
}

struct Sums {
    int started = 0;
    int succeeded = 0;
    int cancelled = 0;
    int other = 0;  // ends that may not be
    std::string first_other;

    void count_other(const std::string& what) {
        if (other++ == 0) {
            first_other = what;
        }
    }
};

// Starts the next launch when one has ended, from the thread that runs the loop.
class Flights {
public:
    // With a seed, each launch is cancelled at a random moment.
    explicit Flights(const std::vector<StartMethod>& methods,
                     std::optional<std::uint64_t> seed = std::nullopt) {
        if (seed) {
            random_.emplace(*seed);
        }
        for (const StartMethod method : methods) {
            SpawnOptions options{.program = "/bin/true", .birth = {.method = method}};
            options.setup.abort_grace = std::chrono::milliseconds(1);
            spawners_.emplace_back(std::move(options));
        }
    }
    const Sums& run() {
        for (int count = 0; count < most_in_flight; ++count) {
            start_next();
        }
        context_.run();
        return sums_;
    }

private:
    struct Flight {
        explicit Flight(asio::io_context& context) : timer(context) {}
        asio::cancellation_signal signal;
        asio::steady_timer timer;
        Process process;
        bool is_launched = false;
    };
    using FlightPointer = std::shared_ptr<Flight>;

    void start_next() {
        if (!span_.goes_on() && sums_.started >= most_in_flight) {
            return;
        }
        const auto& spawner = spawners_[static_cast<std::size_t>(sums_.started) % spawners_.size()];
        ++sums_.started;
        const auto flight = std::make_shared<Flight>(context_);
        syncspawn::for_boost::async_spawn(
            context_, spawner,
            asio::bind_cancellation_slot(
                flight->signal.slot(),
                [this, flight](const std::exception_ptr& failure, Process process) {
                    has_launched(flight, failure, std::move(process));
                }));
        if (random_) {
            cancel_soon(flight);
        }
    }

    // At once, when the loop comes round, or some time later: a time of the order of a launch's, so that
    // some are too late, which must do nothing.
    void cancel_soon(const FlightPointer& flight) {
        const auto cancel = [flight] { flight->signal.emit(asio::cancellation_type::terminal); };
        switch (std::uniform_int_distribution<int>(0, 9)(*random_)) {
            case 0:
                return cancel();
            case 1:
                return asio::post(context_, cancel);
            default:
                flight->timer.expires_after(std::chrono::microseconds(
                    std::uniform_int_distribution<int>(0, 20'000)(*random_)));
                flight->timer.async_wait([cancel](auto) { cancel(); });
        }
    }

    void has_launched(const FlightPointer& flight, const std::exception_ptr& failure,
                      Process process) {
        if (std::exchange(flight->is_launched, true)) {
            sums_.count_other("completed twice");
        }
        const SpawnError error = syncspawn::for_boost::spawn_error_of(failure);
        if (error) {
            if (process || error.cause() != Cause::cancelled || !random_) {
                sums_.count_other(error.what());
            } else {
                ++sums_.cancelled;
            }
            return start_next();
        }
        flight->process = std::move(process);
        syncspawn::for_boost::async_wait_exit(
            context_, flight->process, [this, flight](auto code, ExitStatus status) {
                if (!code && status.success()) {
                    ++sums_.succeeded;
                } else {
                    sums_.count_other(code ? code.message() : status.to_string());
                }
                flight->process = Process();
                start_next();
            });
    }

    std::vector<SyncedSpawner> spawners_;
    asio::io_context context_{1};
    std::optional<std::mt19937_64> random_;
    Span span_{0.5};
    Sums sums_;
};

// SYNCSPAWN_TEST_SEED repeats a run.
std::uint64_t seed() {
    const char* given = std::getenv("SYNCSPAWN_TEST_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
}

}  // namespace

TEST_CASE("of very many launches in flight none is lost and none leaves anything behind") {
    if (!raise_descriptor_limit()) {
        SKIP_TEST("RLIMIT_NOFILE is too low");
    }
    const std::vector<int> before = open_descriptors();
    const Sums sums = Flights(start_methods()).run();
    CHECK(sums.succeeded == sums.started);
    CHECK(sums.cancelled == 0);
    CHECK(sums.other == 0);
    CHECK(sums.first_other == "");
    CHECK(count_children() == 0);
    CHECK(open_descriptors() == before);
    MESSAGE(sums.started << " launches");
}

// The moments are random, and either end is right for each of them; but those that are cancelled at once
// never start, so there are some of these, and their place is always taken by another.
TEST_CASE("very many launches that are cancelled at random moments succeed or are cancelled") {
    if (!raise_descriptor_limit()) {
        SKIP_TEST("RLIMIT_NOFILE is too low");
    }
    const std::uint64_t number = seed();
    MESSAGE("SYNCSPAWN_TEST_SEED=" << number);
    CAPTURE(number);
    const std::vector<int> before = open_descriptors();
    const Sums sums = Flights(start_methods(), number).run();
    CHECK(sums.succeeded + sums.cancelled == sums.started);
    CHECK(sums.cancelled > 0);
    CHECK(sums.other == 0);
    CHECK(sums.first_other == "");
    CHECK(count_children() == 0);
    CHECK(open_descriptors() == before);
    MESSAGE(sums.started << " launches: " << sums.succeeded << " succeeded, " << sums.cancelled
                         << " were cancelled");
}
