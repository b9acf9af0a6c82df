#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher.hpp>

#include "../../faults/call_supervisor.hpp"
#include "scenarios.hpp"
#include "support/shared.hpp"

// The same sandbox is launched again and again, and each time another of the system calls goes wrong.

namespace syncspawn::testing {

enum class Party {
    launcher,  // any of its threads, until it has the result
    guardian,  // of what lies on the host: launcher/reaper/README.md
    child,     // up to its execve
    second,    // the same of the program's process, where the child becomes a reaper
    reaper,
    others,  // the program, and all else
};
[[nodiscard]] const char* name_of(Party party) noexcept;

enum class Caller { root, ordinary };

// One system call of a launch.
struct Call {
    Party party = Party::others;
    int step = -1;  // the step in which it is made, -1 before the first
    long number = 0;
    long option = 0;  // of calls that are many in one
    friend bool operator==(const Call&, const Call&) = default;
    friend bool operator<(const Call& left, const Call& right) {
        return std::tie(left.party, left.step, left.number, left.option) <
               std::tie(right.party, right.step, right.number, right.option);
    }
};

// Who makes the calls of one round.
class Parties {
public:
    // Nothing for marks, for what is made outside a launch, and for parties that are of no interest.
    std::optional<Call> note(const SeenCall& seen);
    // It is allowed to go on: what executes is another party afterwards.
    void passes(const SeenCall& seen, const Call& call);

    [[nodiscard]] pid_t host() const noexcept { return host_; }
    [[nodiscard]] pid_t launcher() const noexcept { return launcher_; }

private:
    void begin_round(pid_t launcher);
    Party party_of(const SeenCall& seen);

    std::map<pid_t, Party> known_{};
    pid_t host_ = 0;  // the process that goes on from round to round
    pid_t launcher_ = 0;
    int processes_ = 0;
    int step_ = -1;
    bool is_launching_ = false;
};

// What the launcher tells of the last launch.
struct Report {
    bool is_over = false;  // told to the launcher
    char left_out[400] = {};
    char steps[40][60] = {};
    int step_count = 0;
    bool launched = false;
    WhichSide side{};
    Stage stage{};
    Cause cause{};
    int code = 0;
    int exit_code = 0;
    bool may_have_run = false;
    char step[100] = {};
    char text[600] = {};
    char told[60'000] = {};  // by the program
};

enum class Launchers {
    same,    // one process launches in all rounds
    copies,  // each round has one of its own, which may be killed
};

// What is to go wrong. Occurrence 0: each call of the kind, as if a filter refused it.
struct Target {
    Call call{};
    int occurrence = 0;
    Sentence sentence = Sentence::passes();
    bool kills_launcher = false;  // whoever makes the call
};

// A round that has ended.
struct Round {
    const Target& target;
    Call hit{};  // which of the calls it was
    const Report& report;
    std::string left{};  // beside what was there before
    [[nodiscard]] std::string step() const;
};

// Of a program that may have been killed meanwhile. What it says last is of its namespace's first process, which may have
// been dying by then.
[[nodiscard]] bool is_beginning_of(const std::string& undisturbed, std::string told);

// In the order of the calls: what is to go wrong with the call of this occurrence; none for nothing.
using Chooser = std::function<std::vector<Target>(const Call& call, int occurrence)>;

// The calls that were offered already, in other scenarios, too: by step, and by the calls before.
using KnownCalls = std::set<std::tuple<Party, std::string, long, long, long, long, long>>;

class Rounds {
public:
    Rounds(const ScenarioMaker& maker, Caller caller, const Ground& ground, KnownCalls& known,
           Launchers launchers = Launchers::same)
        : maker_(maker), caller_(caller), ground_(ground), known_(known), launchers_(launchers) {}

    // The first round is undisturbed. Of the calls that it makes, those in new surroundings (the calls before) are
    // offered to `choose`; each of its targets is a round of its own, and told to `judge` if it was hit, or if the
    // launch was another one without it. False where this machine cannot: why_not().
    bool run(const Chooser& choose, const std::function<void(const Round&)>& judge);

    [[nodiscard]] const std::string& why_not() const noexcept { return why_not_; }
    // What the program of the first round told.
    [[nodiscard]] const std::string& undisturbed() const noexcept { return told_; }
    [[nodiscard]] int count() const noexcept { return count_; }

private:
    void prepare();
    void launch_for_ever();
    void launch_here();
    void launch_in_copy();
    Sentence judge_call(const SeenCall& seen);
    [[nodiscard]] bool is_hit(const Call& call, int occurrence) const;
    void end_round();
    void plan();
    [[nodiscard]] std::string what_is_left() const;
    bool is_new(const Call& call, const Call& before, const Call& earlier);

    const ScenarioMaker& maker_;
    Caller caller_;
    const Ground& ground_;
    KnownCalls& known_;
    Launchers launchers_;
    const Chooser* choose_ = nullptr;
    const std::function<void(const Round&)>* judge_ = nullptr;
    Shared<Report> report_;
    std::unique_ptr<SyncedSpawner> spawner_;
    UniqueFd output_;         // of the program, where nobody reads it meanwhile
    std::size_t pidfds_ = 0;  // of the launcher, outside a launch
    Parties parties_;
    std::map<Call, int> counts_{};
    std::vector<std::pair<Call, int>> order_{};
    std::vector<Target> targets_{};
    std::optional<Target> target_;
    std::optional<Call> hit_;
    int count_ = 0;
    std::string left_, told_, why_not_;
};

}  // namespace syncspawn::testing
