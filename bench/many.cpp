// Many launches from many threads: how many in a second, and how many descriptors at once.

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "machine.hpp"
#include "methods.hpp"
#include "rounds.hpp"

namespace {

using syncspawn::bench::allowed_cpus;
using syncspawn::bench::expect;
using syncspawn::bench::Method;
using syncspawn::bench::Options;
using syncspawn::bench::quantiles_of;
using syncspawn::bench::Row;
using syncspawn::bench::set_of;
using syncspawn::bench::Target;

constexpr double of_posix_spawns_rate = 0.8;
constexpr int judged_threads = 32;

enum class Cpus { one, any };

struct Load {
    int launches, threads;
    Cpus cpus;
    int rounds;

    std::string metric(const char* what) const {
        return std::to_string(launches) + "_from_" + std::to_string(threads) + "_threads_" + what +
               (cpus == Cpus::one ? "_pinned" : "_unpinned");
    }
};

// Seconds. The threads wait for each other, so that starting them is not measured.
double run_all(const Method& method, const Load& load) {
    std::atomic<int> left{load.launches};
    std::atomic<bool> may_go{false};
    std::vector<std::thread> threads;
    for (int number = 0; number < load.threads; ++number) {
        threads.emplace_back([&] {
            may_go.wait(false);
            while (left.fetch_sub(1) > 0) {
                method.launch();
            }
        });
    }
    const auto start = std::chrono::steady_clock::now();
    may_go = true;
    may_go.notify_all();
    for (std::thread& thread : threads) {
        thread.join();
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::ptrdiff_t count_descriptors() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator()) -
           1;  // the directory itself
}

// The most that a look every 200 us has seen, less those from before. Not timed: looking takes time.
double peak_of_descriptors(const Method& method, Load load) {
    load.launches = std::min(load.launches, 1000);
    const std::ptrdiff_t before = count_descriptors();
    std::ptrdiff_t most = before;
    std::atomic<bool> is_over{false};
    std::thread looks([&] {
        while (!is_over) {
            most = std::max(most, count_descriptors());
            std::this_thread::sleep_for(std::chrono::microseconds(200));
        }
    });
    (void)run_all(method, load);
    is_over = true;
    looks.join();
    expect(count_descriptors() == before, "descriptors were left open");
    return static_cast<double>(most - before);
}

std::vector<Method> measured_methods() {
    std::vector<Method> methods = syncspawn::bench::methods_of(syncspawn::bench::helper("true"));
    std::erase_if(methods, [](const Method& method) {
        return method.name != "syncspawn_shared_hooks" && method.name != "syncspawn_copied" &&
               method.name != "posix_spawn";
    });
    expect(methods.size() == 3, "a method is not there");
    return methods;
}

using Samples = std::map<std::string, std::vector<double>>;

void print(const std::string& what, const Samples& samples) {
    for (const auto& [method, values] : samples) {
        const auto of = quantiles_of(values);
        std::printf("%-48s %-24s %4zu %9.0f %9.0f %9.0f\n", what.c_str(), method.c_str(), of.n,
                    of.p5, of.median, of.p95);
    }
    std::fflush(stdout);
}

class Many {
public:
    void measure(const Load& load) {
        const cpu_set_t cpus =
            set_of(load.cpus == Cpus::any ? allowed_ : std::vector{allowed_.front()});
        expect(sched_setaffinity(0, sizeof cpus, &cpus) == 0, "sched_setaffinity failed");
        Samples rates;
        Samples peaks;
        for (int round = 0; round < load.rounds; ++round) {
            std::shuffle(methods_.begin(), methods_.end(), random_);
            for (const Method& method : methods_) {
                rates[method.name].push_back(load.launches / run_all(method, load));
            }
        }
        for (const Method& method : methods_) {
            peaks[method.name].push_back(peak_of_descriptors(method, load));
        }
        keep(load.metric("rate"), "1/s", rates);
        keep(load.metric("descriptors"), "1", peaks);
        if (load.threads == judged_threads && load.cpus == Cpus::one) {
            targets_.push_back({load.metric("rate") + ", shared with hooks, of posix_spawn",
                                ratio(rates["syncspawn_shared_hooks"], rates["posix_spawn"]),
                                Target::Bound::at_least, of_posix_spawns_rate});
        }
    }

    int finish(const Options& options) const {
        return syncspawn::bench::finish(options, "many", rows_, targets_);
    }

private:
    // Of the rates in the same round, as everywhere here.
    static double ratio(std::vector<double> of, const std::vector<double>& to) {
        std::transform(of.begin(), of.end(), to.begin(), of.begin(), std::divides<>());
        return quantiles_of(of).median;
    }

    void keep(const std::string& metric, const char* unit, const Samples& samples) {
        print(metric, samples);
        for (const auto& [method, values] : samples) {
            rows_.push_back({method, "", "", metric, unit, quantiles_of(values)});
        }
    }

    std::vector<std::size_t> allowed_ = allowed_cpus();
    std::vector<Method> methods_ = measured_methods();
    std::mt19937 random_{1};  // NOLINT(cert-msc32-c,cert-msc51-cpp): any order will do
    std::vector<Row> rows_;
    std::vector<Target> targets_;
};

}  // namespace

int main(int argc, char** argv) {
    const Options options = syncspawn::bench::options_of(argc, argv);
    std::printf("%-48s %-24s %4s %9s %9s %9s\n", "launches per second, descriptors", "method", "n",
                "p5", "median", "p95");
    Many many;
    for (const Cpus cpus : {Cpus::one, Cpus::any}) {
        for (const int threads : {1, 2, 8, 32}) {
            if (options.is_quick) {
                many.measure({500, threads, cpus, 7});
            } else {
                many.measure({1000, threads, cpus, 9});
                many.measure({10'000, threads, cpus, 3});
            }
        }
    }
    return many.finish(options);
}
