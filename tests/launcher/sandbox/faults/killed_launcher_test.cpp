#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "rounds.hpp"
#include "support/skip.hpp"

// The launcher is killed at each system call of a sandboxed launch, whoever makes it: alone, or at once with who does. That
// all processes have ended is known when a round is over.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// At each of its own calls, and at one of each kind of the others': these are many, and the launcher waits meanwhile.
class Choice {
public:
    std::vector<Target> operator()(const Call& call, int occurrence) {
        const Target alone{call, occurrence, Sentence::passes(), true};
        if (call.party == Party::launcher) {
            return {alone};
        }
        if (!kinds_.insert({call.party, call.number, call.option}).second) {
            return {};
        }
        return {alone, {call, occurrence, Sentence::dies(), true}};
    }

private:
    std::set<std::tuple<Party, long, long>> kinds_{};
};

int sweep(Caller caller, KnownCalls& known, Choice& choice) {
    const Ground ground;
    int count = 0;
    for (const ScenarioMaker& maker : scenarios()) {
        CAPTURE(std::string(maker.name));
        if (maker.needs_root && caller == Caller::ordinary) {
            continue;
        }
        Rounds rounds(maker, caller, ground, known, Launchers::copies);
        const bool has_run = rounds.run(std::ref(choice), [&](const Round& round) {
            CAPTURE(std::string(name_of(round.hit.party)));
            CAPTURE(round.step());
            CAPTURE(round.hit.number);
            CAPTURE(round.target.occurrence);
            CAPTURE(round.target.sentence.is_death());
            // It is killed, too, unless it has ended: no line of what it tells is another one.
            CHECK(is_beginning_of(rounds.undisturbed(), round.report.told));
            const bool is_guarded =
                round.hit.party != Party::guardian || !round.target.sentence.is_death();
            if (is_guarded) {  // else the next launch removes what is left
                CHECK(round.left.empty());
            }
        });
        if (!has_run) {
            leave_out(rounds.why_not());
        }
        count += rounds.count();
    }
    return count;
}

}  // namespace

TEST_CASE("whenever the launcher of a sandbox is killed, all of it ends, and nothing is left") {
    KnownCalls known;
    Choice choice;
    if (geteuid() == 0) {
        MESSAGE("launches of root: ", sweep(Caller::root, known, choice));
    }
    MESSAGE("launches of an ordinary user: ", sweep(Caller::ordinary, known, choice));
}
