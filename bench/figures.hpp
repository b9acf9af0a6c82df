#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

// What every suite hands out: quantiles of samples, and rows of them in one CSV format.

namespace syncspawn::bench {

struct Quantiles {
    std::size_t n;
    double p5, median, p95;
};

inline Quantiles quantiles_of(std::vector<double> samples) {
    std::sort(samples.begin(), samples.end());
    const auto at = [&](double which) {
        const double last = static_cast<double>(samples.size()) - 1;
        return samples[static_cast<std::size_t>(std::lround(which * last))];
    };
    return {samples.size(), at(0.05), at(0.5), at(0.95)};
}

struct Row {
    std::string method;
    std::string parent_mib;  // empty, as `pages`, where it plays no part
    std::string pages;
    std::string metric;
    std::string unit;
    Quantiles of;
};

[[nodiscard]] inline bool write_csv(const char* path, const std::string& suite,
                                    const std::vector<Row>& rows) {
    FILE* file = std::fopen(path, "we");
    if (file == nullptr) {
        return false;
    }
    std::fputs("suite,method,parent_mib,pages,metric,unit,n,p5,median,p95\n", file);
    for (const Row& row : rows) {
        std::fprintf(file, "%s,%s,%s,%s,%s,%s,%zu,%.1f,%.1f,%.1f\n", suite.c_str(),
                     row.method.c_str(), row.parent_mib.c_str(), row.pages.c_str(),
                     row.metric.c_str(), row.unit.c_str(), row.of.n, row.of.p5, row.of.median,
                     row.of.p95);
    }
    return std::fclose(file) == 0;
}

}  // namespace syncspawn::bench
