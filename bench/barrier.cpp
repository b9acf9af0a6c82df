// What the barrier costs beside the same system calls written bare, alone and between two processes.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <syncspawn/barrier.hpp>

#include "bare_calls.hpp"
#include "machine.hpp"
#include "suite.hpp"

namespace {

using benchmark::IterationCount;
using benchmark::State;
using syncspawn::Barrier;
using syncspawn::BarrierPair;
using syncspawn::Role;
using syncspawn::bench::allowed_cpus;
using syncspawn::bench::expect;
using syncspawn::bench::Figure;
using syncspawn::bench::pin_to;
using syncspawn::bench::Suite;

// Either is made from a barrier that has its role.
using Ours = Barrier&;
using Bare = syncspawn::bare::Side;

std::int64_t balance_of(const Barrier& side) { return side.status().balance; }
std::int64_t balance_of(const Bare& side) { return side.balance(); }

constexpr int warm_up = 50;  // rounds before the timed ones: pages copied since fork, cold caches
constexpr double largest_ratio = 1.10;
constexpr double satisfied_sync_below_ns = 20;
constexpr const char* satisfied_sync_name = "satisfied sync";

// ---- one side alone -------------------------------------------------------------------------------

// The other end of the pipe stays open here, so the peer counts as alive.
template <class Side, Role AsRole>
struct Alone {
    Alone() = default;
    Alone(const Alone&) = delete;
    Alone& operator=(const Alone&) = delete;
    ~Alone() { close(peers_end); }

    static Barrier& in_role(Barrier& barrier) {
        (void)barrier.set_role(AsRole);
        return barrier;
    }

    Barrier barrier = Barrier::create();
    int peers_end = fcntl(
        AsRole == Role::parent ? barrier.native()->pipe_write_fd : barrier.native()->pipe_read_fd,
        F_DUPFD_CLOEXEC, 0);
    Side side{in_role(barrier)};
};

void create_ours(State& state) {
    for (auto _ : state) {
        Barrier barrier = Barrier::create();
        benchmark::DoNotOptimize(barrier);
    }
}

void create_bare(State& state) {
    for (auto _ : state) {
        const int first = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        const int second = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        int ends[2];
        expect(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "pipe2 failed");
        for (const int fd : {first, second, ends[0], ends[1]}) {
            close(fd);
        }
    }
}

template <class Side>
void place(State& state) {
    Alone<Side, Role::parent> alone;
    for (int round = 0; round < warm_up; ++round) {
        (void)alone.side.place();
    }
    for (auto _ : state) {
        (void)alone.side.place();
    }
    expect(balance_of(alone.side) == warm_up + state.iterations(), "a place was lost");
}

template <class Side>
void satisfied_sync(State& state) {
    Alone<Side, Role::parent> alone;
    for (auto _ : state) {
        (void)alone.side.sync();
        benchmark::DoNotOptimize(alone);
    }
}

// Timed are the waits alone, each on a barrier of its own, and all of them by one look at the clock.
template <class Side, Role AsRole>
void ready_wait(State& state) {
    std::array<Alone<Side, AsRole>, 16> all;
    for (auto _ : state) {
        for (auto& alone : all) {
            expect(eventfd_write(alone.barrier.native()->remote_fd, 1) == 0, "the peer's place");
        }
        const auto start = std::chrono::steady_clock::now();
        for (auto& alone : all) {
            (void)alone.side.wait_next();
        }
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
        state.SetIterationTime(spent.count() / static_cast<double>(all.size()));
    }
    for (auto& alone : all) {
        expect(balance_of(alone.side) == -state.iterations(), "a wait failed");
    }
}

// ---- two processes --------------------------------------------------------------------------------

struct PingPong {
    static void parent(auto& side) {
        (void)side.place();
        (void)side.wait_next();
    }
    static void child(auto& side) {
        (void)side.wait_next();
        (void)side.place();
    }
};

struct Rendezvous {
    static void parent(auto& side) { (void)side.place_and_sync(); }
    static void child(auto& side) { (void)side.place_and_sync(); }
};

template <class Round, class Side>
[[noreturn]] void be_peer(Barrier barrier, IterationCount rounds, pid_t parent, std::size_t cpu) {
    // The bare side does not see its parent's death.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || !pin_to(cpu)) {
        _exit(1);
    }
    Side side(barrier);
    for (IterationCount round = 0; round < rounds; ++round) {
        Round::child(side);
    }
    _exit(balance_of(side) == 0 ? 0 : 1);
}

template <class Round, class Side>
void measure(State& state, Barrier barrier, pid_t peer) {
    Side side(barrier);
    for (int round = 0; round < warm_up; ++round) {
        Round::parent(side);
    }
    for (auto _ : state) {
        Round::parent(side);
    }
    int status = 0;
    const bool reaped = waitpid(peer, &status, 0) == peer;
    expect(reaped && status == 0 && balance_of(side) == 0, "the peer was not in step");
}

template <class Round, class Side>
void between_two(State& state, std::size_t peer_cpu) {
    BarrierPair pair = Barrier::pair();
    const pid_t self = getpid();
    const pid_t peer = fork();
    expect(peer >= 0, "fork failed");
    if (peer == 0) {
        be_peer<Round, Side>(std::move(pair).child(), warm_up + state.max_iterations, self,
                             peer_cpu);
    } else {
        measure<Round, Side>(state, std::move(pair).parent(), peer);
    }
}

// ---- the program ----------------------------------------------------------------------------------

void add_all(Suite& suite) {
    suite.add("create and destroy", 100, create_ours, create_bare);
    suite.add("place", 1000, place<Ours>, place<Bare>);
    suite.add(satisfied_sync_name, 10'000, satisfied_sync<Ours>, satisfied_sync<Bare>);
    suite.add("ready wait of the parent", 50, ready_wait<Ours, Role::parent>,
              ready_wait<Bare, Role::parent>, syncspawn::bench::Clock::manual);
    suite.add("ready wait of the child", 50, ready_wait<Ours, Role::child>,
              ready_wait<Bare, Role::child>, syncspawn::bench::Clock::manual);
    const std::vector<std::size_t> cpus = allowed_cpus();
    expect(pin_to(cpus.front()), "sched_setaffinity failed");
    const auto add_pair = [&]<class Round>(const std::string& name, std::size_t cpu, Round) {
        suite.add(
            name, 100, [cpu](State& state) { between_two<Round, Ours>(state, cpu); },
            [cpu](State& state) { between_two<Round, Bare>(state, cpu); });
    };
    add_pair("ping-pong on one CPU", cpus[0], PingPong{});
    add_pair("rendezvous on one CPU", cpus[0], Rendezvous{});
    if (cpus.size() > 1) {
        add_pair("ping-pong on two CPUs", cpus[1], PingPong{});
        add_pair("rendezvous on two CPUs", cpus[1], Rendezvous{});
    }
}

// Where the bare side makes no call at all, a ratio says nothing.
bool is_too_slow(const Figure& figure) {
    return figure.name == satisfied_sync_name ? figure.ours.median >= satisfied_sync_below_ns
                                              : figure.ratio() > largest_ratio;
}

int count_too_slow(const std::vector<Figure>& figures) {
    int count = 0;
    for (const Figure& figure : figures) {
        if (is_too_slow(figure)) {
            std::fprintf(stderr, "bench-barrier: too slow: %s: %.1f ns, %.3f of bare\n",
                         figure.name.c_str(), figure.ours.median, figure.ratio());
            ++count;
        }
    }
    return count;
}

constexpr const char* usage =
    "usage: bench-barrier [--quick] [--check] [--csv=FILE] [--benchmark_filter=REGEX]\n"
    "  --quick  fewer blocks\n"
    "  --check  exit 1 if anything takes more than 1.10 of the bare calls,\n"
    "           or a satisfied sync 20 ns\n";

}  // namespace

int main(int argc, char** argv) {
    int blocks = 400;
    bool is_check = false;
    const char* csv = nullptr;
    std::string interleave = "--benchmark_enable_random_interleaving=true";
    std::vector<char*> others{argv[0], interleave.data()};
    for (char* argument : std::vector<char*>(argv + 1, argv + argc)) {
        const std::string_view text = argument;
        if (text == "--quick") {
            blocks = 80;
        } else if (text == "--check") {
            is_check = true;
        } else if (text.starts_with("--csv=")) {
            csv = argument + std::strlen("--csv=");
        } else if (text == "--help") {
            std::fputs(usage, stdout);
            return 0;
        } else {
            others.push_back(argument);
        }
    }
    int count = static_cast<int>(others.size());
    benchmark::Initialize(&count, others.data());
    if (benchmark::ReportUnrecognizedArguments(count, others.data())) {
        std::fputs(usage, stderr);
        return 2;
    }

    const bool is_first = syncspawn::bench::go_before_all_others();
    Suite suite("barrier", blocks);
    add_all(suite);
    expect(benchmark::RunSpecifiedBenchmarks(&suite) > 0, "nothing to measure");

    const std::vector<Figure> figures = suite.figures();
    std::printf("%d blocks of each, %s real-time priority\n", blocks, is_first ? "at" : "without");
    syncspawn::bench::print_table(figures);
    expect(csv == nullptr || suite.write_csv(csv), "the CSV file cannot be written");
    return is_check && count_too_slow(figures) > 0 ? 1 : 0;
}
