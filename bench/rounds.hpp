#pragma once

#include <initializer_list>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "figures.hpp"
#include "worker_process.hpp"

// Launch times of many methods, taken in rounds: in each round every method launches one short block,
// in random order, so that whatever else the machine does meets all of them.

namespace syncspawn::bench {

inline const std::string pinned = "spawn_to_reaped_pinned";
inline const std::string unpinned = "spawn_to_reaped_unpinned";

struct Plan {
    std::string worker = "native";
    std::vector<std::string> methods{};  // of that worker, present in every round
    // Workers beside it, one at a time because of the memory, each with those of its methods.
    std::vector<std::pair<std::string, std::vector<std::string>>> peers{};
    // The method whose launches from a parent of 10 MiB are taken in the same rounds.
    std::string flat{};
    int rounds = 3;                 // with each peer
    std::size_t least_samples = 7;  // of the slowest
};

class Rounds {
public:
    explicit Rounds(Plan plan) : plan_(std::move(plan)) {}

    // Prints a table. Memory that is not there, and peers that are not, are named and left out.
    void measure(const Ballast& ballast);

    [[nodiscard]] std::vector<Row> rows() const;
    // One method's time over another's: the median of the ratios of their blocks in the same round. The
    // machine may be slow for seconds, which meets both blocks of a round; medians over all rounds would
    // then depend on whether that was a little more or less than half of the time. 0: not measured.
    struct Place {
        std::string method;
        Ballast ballast;
        std::string metric = pinned;
    };
    [[nodiscard]] double ratio(const Place& of, const Place& to) const;
    // What a method takes beyond a bare one, in parts of what posix_spawn takes beyond vfork and execve: the median
    // over the rounds, of launches from the same parent on one CPU. What everybody pays is not in it: execve and the
    // program itself, and where `beyond` makes one, the namespace.
    [[nodiscard]] double overhead(const std::string& method, const Ballast& ballast,
                                  const std::string& beyond = "vfork_execve") const;
    // The metric of Plan::flat at 10 MiB, taken beside a larger parent.
    static std::string beside(int mib) { return pinned + "_beside_" + std::to_string(mib); }

private:
    struct Key {
        Ballast ballast;
        std::string method, metric;
        bool operator<(const Key& other) const;
    };
    struct Part {
        WorkerProcess* worker;
        Key key;
        cpu_set_t cpus;
    };

    void add(std::vector<Part>& parts, WorkerProcess& worker,
             const std::vector<std::string>& methods, const Ballast& ballast) const;
    void run_block(const Part& part);
    [[nodiscard]] double ratio_of(const Key& of, const Key& to) const;
    void run(std::vector<Part> parts);
    void print(const Ballast& ballast) const;

    Plan plan_;
    std::map<Key, std::vector<double>> samples_;
    std::map<Key, std::map<int, double>> blocks_;  // medians, by round
    int round_ = 0;                                // over all that was measured
    // The same in every run; what order it gives is no matter.
    std::mt19937 random_{1};  // NOLINT(cert-msc32-c,cert-msc51-cpp)
};

// ---- targets --------------------------------------------------------------------------------------

struct Target {
    enum class Bound { at_most, at_least };

    std::string name;
    double value;  // a ratio; 0 if it was not measured
    Bound bound;
    double limit;

    [[nodiscard]] bool is_met() const {
        return bound == Bound::at_most ? value <= limit : value >= limit;
    }
};

// Prints all that were measured, and names those that are missed; their number.
int judge(const std::vector<Target>& targets);

// ---- the command line -----------------------------------------------------------------------------

struct Options {
    bool is_quick = false;
    bool is_check = false;
    const char* csv = nullptr;
};

// Exits after --help, or with 2 for what it does not know.
Options options_of(int argc, char** argv);
// What a suite of launch times over the memory of the parent is.
struct LaunchSuite {
    std::string name;
    Plan (*plan)(const Options&);
    std::vector<Ballast> (*ballasts)(const Options&);
    std::vector<Target> (*targets)(const Rounds&, const std::vector<Ballast>&);
};
// The whole of its main.
int run(const LaunchSuite& suite, int argc, char** argv);
// Each size, in MiB, in small pages, then each in huge ones.
std::vector<Ballast> in_both_pages(std::initializer_list<int> sizes);
// How a target says which ballast it is about.
std::string in_words(const Ballast& ballast);

// What every suite ends with: the exit status.
int finish(const Options& options, const std::string& suite, const std::vector<Row>& rows,
           const std::vector<Target>& targets);

}  // namespace syncspawn::bench
