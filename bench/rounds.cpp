#include "rounds.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <string_view>
#include <tuple>

#include "machine.hpp"

namespace syncspawn::bench {
namespace {

// Shorter than what disturbs the machine: a disturbance must not meet one method alone.
constexpr double block_ns = 3e6;
constexpr int largest_block = 30;
// Of a launch that takes longer than a block, as many samples as this time holds must do.
constexpr double enough_ns = 200e6;
// The driver's workers: the native one and one peer, and something for everybody else.
constexpr double memory_for_each_mib = 2.5;

double available_mib() {
    std::ifstream info("/proc/meminfo");
    for (std::string key; info >> key;) {
        double kib = 0;
        if (key == "MemAvailable:" && info >> kib) {
            return kib / 1024;
        }
    }
    return 0;
}

// The kernel may be told to give huge pages to nobody, or to everybody.
void verify_pages(const WorkerProcess& worker, const std::string& name, const Ballast& ballast) {
    const double share = worker.share_of_huge_pages();
    if ((ballast.pages == "huge" && share < 0.9) || (ballast.pages == "small" && share > 0.1)) {
        std::printf("note: %s wanted %s pages, but %.0f %% of its ballast is huge pages\n",
                    name.c_str(), ballast.pages.c_str(), share * 100);
    }
}

double median_of(const std::vector<double>& samples) { return quantiles_of(samples).median; }

}  // namespace

bool Rounds::Key::operator<(const Key& other) const {
    const auto tied = [](const Key& key) {
        return std::tie(key.ballast.pages, key.ballast.mib, key.metric, key.method);
    };
    return tied(*this) < tied(other);
}

void Rounds::measure(const Ballast& ballast) {
    if (available_mib() < memory_for_each_mib * ballast.mib) {
        std::printf("\nleft out: a parent of %d MiB takes %.0f MiB of available memory\n",
                    ballast.mib, memory_for_each_mib * ballast.mib);
        return;
    }
    std::string reason;
    auto native = WorkerProcess::start(plan_.worker, ballast, reason);
    expect(native.has_value(), ("no worker, " + plan_.worker + ": " + reason).c_str());
    verify_pages(*native, plan_.worker, ballast);
    std::vector<Part> always;
    add(always, *native, plan_.methods, ballast);

    const Ballast small_ballast{.pages = ballast.pages};
    auto small = WorkerProcess::start(plan_.worker, small_ballast, reason);
    if (native->has(plan_.flat) && ballast.mib > small_ballast.mib) {
        const Key key{small_ballast, plan_.flat, beside(ballast.mib)};
        always.push_back({&*small, key, set_of({allowed_cpus().front()})});
    }
    bool is_run = false;
    for (const auto& [name, methods] : plan_.peers) {
        auto peer = WorkerProcess::start(name, ballast, reason);
        if (!peer) {
            std::printf("left out: %s: %s\n", name.c_str(), reason.c_str());
            continue;
        }
        verify_pages(*peer, name, ballast);
        std::vector<Part> parts = always;
        add(parts, *peer, methods, ballast);
        run(std::move(parts));
        is_run = true;
    }
    if (!is_run) {
        run(std::move(always));
    }
    print(ballast);
}

void Rounds::add(std::vector<Part>& parts, WorkerProcess& worker,
                 const std::vector<std::string>& methods, const Ballast& ballast) const {
    const std::vector<std::size_t> cpus = allowed_cpus();
    for (const std::string& method : methods) {
        if (!worker.has(method)) {
            std::printf("left out: %s\n", method.c_str());
            continue;
        }
        (void)worker.launch(method, 2);  // what is done once only is done
        parts.push_back({&worker, {ballast, method, pinned}, set_of({cpus.front()})});
        parts.push_back({&worker, {ballast, method, unpinned}, set_of(cpus)});
    }
}

void Rounds::run_block(const Part& part) {
    std::vector<double>& samples = samples_[part.key];
    part.worker->allow(part.cpus);
    int count = 1;
    if (!samples.empty()) {
        const double expected = median_of(samples);
        if (expected > block_ns && samples.size() >= plan_.least_samples &&
            std::accumulate(samples.begin(), samples.end(), 0.0) > enough_ns) {
            return;
        }
        count = static_cast<int>(std::clamp(block_ns / expected, 1.0, double{largest_block}));
    }
    if (count > 1) {
        (void)part.worker->launch(part.key.method,
                                  1);  // it comes from another CPU, caches are cold
    }
    const std::vector<double> times = part.worker->launch(part.key.method, count);
    samples.insert(samples.end(), times.begin(), times.end());
    blocks_[part.key][round_] = median_of(times);
}

void Rounds::run(std::vector<Part> parts) {
    for (int count = 0; count < plan_.rounds; ++count, ++round_) {
        std::shuffle(parts.begin(), parts.end(), random_);
        for (const Part& part : parts) {
            run_block(part);
        }
    }
}

std::vector<Row> Rounds::rows() const {
    std::vector<Row> rows;
    for (const auto& [key, samples] : samples_) {
        rows.push_back({key.method, std::to_string(key.ballast.mib), key.ballast.pages, key.metric,
                        "ns", quantiles_of(samples)});
    }
    return rows;
}

double Rounds::ratio_of(const Key& of, const Key& to) const {
    const auto over = blocks_.find(of);
    const auto under = blocks_.find(to);
    if (over == blocks_.end() || under == blocks_.end()) {
        return 0;
    }
    std::vector<double> ratios;
    for (const auto& [round, median] : over->second) {
        if (const auto beside = under->second.find(round); beside != under->second.end()) {
            ratios.push_back(median / beside->second);
        }
    }
    return ratios.empty() ? 0 : median_of(ratios);
}

double Rounds::ratio(const Place& of, const Place& to) const {
    return ratio_of({of.ballast, of.method, of.metric}, {to.ballast, to.method, to.metric});
}

double Rounds::overhead(const std::string& method, const Ballast& ballast,
                        const std::string& beyond) const {
    const auto blocks_of = [&](const std::string& name) {
        const auto found = blocks_.find({ballast, name, pinned});
        return found != blocks_.end() ? found->second : std::map<int, double>();
    };
    const std::map<int, double> floor = blocks_of(beyond);
    const std::map<int, double> bare = blocks_of("vfork_execve");
    const std::map<int, double> usual = blocks_of("posix_spawn");
    std::vector<double> overheads;
    for (const auto& [round, median] : blocks_of(method)) {
        if (floor.contains(round) && bare.contains(round) && usual.contains(round)) {
            overheads.push_back((median - floor.at(round)) / (usual.at(round) - bare.at(round)));
        }
    }
    return overheads.empty() ? 0 : median_of(overheads);
}

void Rounds::print(const Ballast& ballast) const {
    constexpr double us = 1000;
    std::printf("\nparent of %d MiB in %s pages\n%-24s %34s   %34s\n%-24s", ballast.mib,
                ballast.pages.c_str(), "", "on one CPU", "on any CPU", "us, start to reaped");
    for (int column = 0; column < 2; ++column) {
        std::printf(" %5s %9s %9s %9s  ", "n", "p5", "median", "p95");
    }
    std::printf("%12s\n", "of spawn");
    for (const auto& [key, samples] : samples_) {
        if (key.metric != pinned || key.ballast.mib != ballast.mib ||
            key.ballast.pages != ballast.pages) {
            continue;
        }
        std::printf("%-24s", key.method.c_str());
        for (const auto& metric : {pinned, unpinned}) {
            const Quantiles of = quantiles_of(samples_.at({ballast, key.method, metric}));
            std::printf(" %5zu %9.1f %9.1f %9.1f  ", of.n, of.p5 / us, of.median / us, of.p95 / us);
        }
        std::printf("%12.3f\n", ratio_of(key, {ballast, "posix_spawn", pinned}));
    }
    std::fflush(stdout);
}

// ---- targets --------------------------------------------------------------------------------------

int judge(const std::vector<Target>& targets) {
    int missed = 0;
    if (targets.empty()) {
        return missed;
    }
    std::printf("\n%-66s %9s %12s\n", "target", "measured", "limit");
    for (const Target& target : targets) {
        if (target.value == 0) {
            std::printf("%-66s %9s\n", target.name.c_str(), "not here");
            continue;
        }
        std::printf("%-66s %9.3f %3s %8.2f %s\n", target.name.c_str(), target.value,
                    target.bound == Target::Bound::at_most ? "<=" : ">=", target.limit,
                    target.is_met() ? "" : " MISSED");
        missed += target.is_met() ? 0 : 1;
    }
    return missed;
}

// ---- the command line -----------------------------------------------------------------------------

Options options_of(int argc, char** argv) {
    constexpr const char* usage =
        "[--quick] [--check] [--ordinary] [--csv=FILE]\n"
        "  --quick     a shorter form of it\n"
        "  --check     exit 1 if a target is missed\n"
        "  --ordinary  without real-time priority: for a machine that does nothing else\n";
    Options options;
    bool is_first = true;
    for (const char* argument : std::vector<const char*>(argv + 1, argv + argc)) {
        const std::string_view text = argument;
        if (text == "--quick") {
            options.is_quick = true;
        } else if (text == "--check") {
            options.is_check = true;
        } else if (text == "--ordinary") {
            is_first = false;
        } else if (text.starts_with("--csv=")) {
            options.csv = argument + std::string_view("--csv=").size();
        } else {
            std::fprintf(text == "--help" ? stdout : stderr, "usage: %s %s",
                         program_invocation_short_name, usage);
            std::exit(text == "--help" ? 0 : 2);
        }
    }
    if (!is_first || !go_before_all_others()) {
        std::printf("without real-time priority: other programs disturb what follows\n");
    }
    return options;
}

int run(const LaunchSuite& suite, int argc, char** argv) {
    const Options options = options_of(argc, argv);
    const std::vector<Ballast> ballasts = suite.ballasts(options);
    Rounds rounds(suite.plan(options));
    for (const Ballast& ballast : ballasts) {
        rounds.measure(ballast);
    }
    return finish(options, suite.name, rounds.rows(), suite.targets(rounds, ballasts));
}

std::vector<Ballast> in_both_pages(std::initializer_list<int> sizes) {
    std::vector<Ballast> all;
    for (const char* pages : {"small", "huge"}) {
        for (const int mib : sizes) {
            all.push_back({mib, pages});
        }
    }
    return all;
}

std::string in_words(const Ballast& ballast) {
    return std::to_string(ballast.mib) + " MiB, " + ballast.pages;
}

int finish(const Options& options, const std::string& suite, const std::vector<Row>& rows,
           const std::vector<Target>& targets) {
    const int missed = judge(targets);
    expect(options.csv == nullptr || write_csv(options.csv, suite, rows), "cannot write the CSV");
    std::fflush(stdout);
    for (const Target& target : targets) {
        if (options.is_check && target.value != 0 && !target.is_met()) {
            std::fprintf(stderr, "%s: missed: %s: %.3f, not %s %.2f\n",
                         program_invocation_short_name, target.name.c_str(), target.value,
                         target.bound == Target::Bound::at_most ? "at most" : "at least",
                         target.limit);
        }
    }
    return options.is_check && missed > 0 ? 1 : 0;
}

}  // namespace syncspawn::bench
