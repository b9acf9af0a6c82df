#pragma once

#include <benchmark/benchmark.h>

#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "figures.hpp"

// Figures of the library, each beside that of the same calls written bare.
//
// A sample is the mean of one short block of calls. All blocks are to run in random order
// (--benchmark_enable_random_interleaving), so that whatever else the machine does meets both; a
// ratio is that of two medians.

namespace syncspawn::bench {

struct Figure {
    std::string name;
    Quantiles ours, bare;

    [[nodiscard]] double ratio() const { return ours.median / bare.median; }
};

enum class Clock { real, manual };

class Suite : public benchmark::BenchmarkReporter {
public:
    Suite(std::string name, int blocks) : name_(std::move(name)), blocks_(blocks) {}

    void add(const std::string& name, benchmark::IterationCount calls, auto ours, auto bare,
             Clock clock = Clock::real) {
        names_.push_back(name);
        for (auto* method : {benchmark::RegisterBenchmark((name + "/ours").c_str(), ours),
                             benchmark::RegisterBenchmark((name + "/bare").c_str(), bare)}) {
            method->Iterations(calls)->Repetitions(blocks_);
            (void)(clock == Clock::real ? method->UseRealTime() : method->UseManualTime());
        }
    }

    bool ReportContext(const Context&) override { return true; }

    void ReportRuns(const std::vector<Run>& runs) override {
        for (const Run& run : runs) {
            if (run.run_type == Run::RT_Iteration) {
                samples_[run.run_name.function_name].push_back(run.GetAdjustedRealTime());
            }
        }
    }

    [[nodiscard]] std::vector<Figure> figures() const {
        std::vector<Figure> figures;
        for (const std::string& name : names_) {
            const auto ours = samples_.find(name + "/ours");
            const auto bare = samples_.find(name + "/bare");
            if (ours != samples_.end() && bare != samples_.end()) {  // not filtered out
                figures.push_back({name, quantiles_of(ours->second), quantiles_of(bare->second)});
            }
        }
        return figures;
    }

    [[nodiscard]] bool write_csv(const char* path) const {
        std::vector<Row> rows;
        for (const Figure& figure : figures()) {
            rows.push_back({"ours", "", "", figure.name, "ns", figure.ours});
            rows.push_back({"bare", "", "", figure.name, "ns", figure.bare});
        }
        return bench::write_csv(path, name_, rows);
    }

private:
    std::string name_;
    int blocks_;
    std::vector<std::string> names_;
    std::map<std::string, std::vector<double>> samples_;  // ns per call, one for each block
};

inline void print_table(const std::vector<Figure>& figures) {
    const auto print = [](const Quantiles& of) {
        std::printf(" %9.1f %9.1f %9.1f ", of.median, of.p5, of.p95);
    };
    std::printf("%-25s %9s %9s %9s  %9s %9s %9s  %6s\n", "ns", "ours", "p5", "p95", "bare", "p5",
                "p95", "ratio");
    for (const Figure& figure : figures) {
        std::printf("%-25s", figure.name.c_str());
        print(figure.ours);
        print(figure.bare);
        std::printf(" %6.3f\n", figure.ratio());
    }
}

}  // namespace syncspawn::bench
