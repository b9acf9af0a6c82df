// Walks the table of every operation in every state, as barrier/README.md prints it: each cell is
// tried on both roles, with a forked subject and a forked peer.

#include <doctest/doctest.h>
#include <unistd.h>

#include <functional>
#include <limits>
#include <map>
#include <sstream>

#include <syncspawn/barrier/hand_over.hpp>

#include "support/both_sides.hpp"
#include "support/observe.hpp"
#include "support/system_call_trap.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

constexpr Deadline past{};

using Operation = std::function<Outcome(Barrier&, Role)>;

// Each in all of its forms that never block, so no cell can hang or race: they must do the same.
const std::map<std::string, std::vector<Operation>> operations{
    {"set_role", {[](Barrier& side, Role role) { return side.set_role(role); }}},
    {"watch_peer", {[](Barrier& side, Role) { return side.watch_peer(-1); }}},
    {"distrust_peer", {[](Barrier& side, Role) { return side.distrust_peer(); }}},
    {"place",
     {[](Barrier& side, Role) { return side.try_place(); },
      [](Barrier& side, Role) { return side.place_until(past); }}},
    {"abort", {[](Barrier& side, Role) { return side.abort(); }}},
    {"wait_next",
     {[](Barrier& side, Role) { return side.try_wait_next(); },
      [](Barrier& side, Role) { return side.wait_next_until(past); }}},
    {"wait_for_place(1)",
     {[](Barrier& side, Role) { return side.try_wait_for_place(1); },
      [](Barrier& side, Role) { return side.wait_for_place_until(1, past); }}},
    {"sync_next",
     {[](Barrier& side, Role) { return side.try_sync_next(); },
      [](Barrier& side, Role) { return side.sync_next_until(past); }}},
    {"sync",
     {[](Barrier& side, Role) { return side.try_sync(); },
      [](Barrier& side, Role) { return side.sync_until(past); }}},
    {"place_and_sync", {[](Barrier& side, Role) { return side.place_and_sync_until(past); }}},
    {"wait_abortion",
     {[](Barrier& side, Role) { return side.try_wait_abortion(); },
      [](Barrier& side, Role) { return side.wait_abortion_until(past); }}},
    {"poll_now", {[](Barrier& side, Role) { return side.poll_now(); }}},
    {"put_back", {[](Barrier& side, Role) { return side.put_back(); }}},
    {"export", {[](Barrier& side, Role) {
         BarrierEnvironment environment{};
         return export_barrier(side, environment);
     }}},
};

// What the peer does, once it has its role, and then either stays or ends.
enum class PeerDoes { nothing, place, abort };
enum class PeerThen { stays, ends };

struct State {
    PeerDoes peer_does;
    PeerThen peer_then;
    bool has_role;
    // Brings the subject there, after the peer's part came about.
    std::function<void(Barrier&)> arrive;
};

void place_once(Barrier& side) { place(side); }
void abort(Barrier& side) { expect_outcome(side.abort(), Outcome::reached); }
void read_a_place(Barrier& side) { expect_outcome(side.wait_next(), Outcome::reached); }
void owe_and_learn(Barrier& side, Outcome outcome) {
    place(side);
    expect_outcome(side.sync(), outcome);
}
void fail(Barrier& side) {
    close(std::exchange(side.native()->local_fd, -1));
    expect_outcome(side.place(), Outcome::failed);
}

const std::map<std::string, State> states{
    {"empty", {PeerDoes::nothing, PeerThen::stays, false, [](Barrier& side) { side.destroy(); }}},
    {"no role yet", {PeerDoes::nothing, PeerThen::stays, false, [](Barrier&) {}}},
    {"in step", {PeerDoes::nothing, PeerThen::stays, true, [](Barrier&) {}}},
    {"owed a place", {PeerDoes::nothing, PeerThen::stays, true, place_once}},
    {"place unread", {PeerDoes::place, PeerThen::stays, true, [](Barrier&) {}}},
    {"place read", {PeerDoes::place, PeerThen::stays, true, read_a_place}},
    {"place met by a look",
     {PeerDoes::place, PeerThen::stays, true,
      [](Barrier& side) { expect_outcome(side.poll_now(), Outcome::reached); }}},
    {"dead, unnoticed", {PeerDoes::nothing, PeerThen::ends, true, place_once}},
    {"dead, place unread", {PeerDoes::place, PeerThen::ends, true, place_once}},
    {"gone, owed a place",
     {PeerDoes::nothing, PeerThen::ends, true,
      [](Barrier& side) { owe_and_learn(side, Outcome::peer_gone); }}},
    {"gone, in step",
     {PeerDoes::nothing, PeerThen::ends, true,
      [](Barrier& side) { expect_outcome(side.wait_next(), Outcome::peer_gone); }}},
    {"gone, place read",
     {PeerDoes::place, PeerThen::ends, true,
      [](Barrier& side) {
          read_a_place(side);
          expect_outcome(side.wait_next(), Outcome::peer_gone);
      }}},
    {"gone, place met by a look",
     {PeerDoes::place, PeerThen::ends, true,
      [](Barrier& side) { expect_outcome(side.poll_now(), Outcome::peer_gone); }}},
    {"here", {PeerDoes::nothing, PeerThen::stays, true, abort}},
    {"here, place unread", {PeerDoes::place, PeerThen::stays, true, abort}},
    {"here, peer dead", {PeerDoes::nothing, PeerThen::ends, true, abort}},
    {"here, abort unread", {PeerDoes::abort, PeerThen::stays, true, abort}},
    {"there, unread", {PeerDoes::abort, PeerThen::stays, true, place_once}},
    {"there",
     {PeerDoes::abort, PeerThen::stays, true,
      [](Barrier& side) { owe_and_learn(side, Outcome::aborted_there); }}},
    {"here and there",
     {PeerDoes::abort, PeerThen::stays, true,
      [](Barrier& side) {
          owe_and_learn(side, Outcome::aborted_there);
          expect_outcome(side.abort(), Outcome::aborted_there);
      }}},
    {"here and gone",
     {PeerDoes::nothing, PeerThen::ends, true,
      [](Barrier& side) {
          owe_and_learn(side, Outcome::peer_gone);
          expect_outcome(side.abort(), Outcome::peer_gone);
      }}},
    {"failed", {PeerDoes::nothing, PeerThen::stays, true, fail}},
};

// What is known of a side, from within and from outside.
struct Snapshot {
    BarrierStatus status;
    std::uint64_t local_count;
    std::uint64_t remote_count;
};

struct Observation {
    Snapshot before, after;
    Outcome outcome;
    int error;
    long system_call;  // -1: there was none
    bool may_spin;     // what a loop polls would wake it at once
};

Snapshot snapshot(Barrier& side) {
    const auto count = [&](int fd) { return side.is_open() && fd >= 0 ? eventfd_count(fd) : 0; };
    return {side.status(), count(side.native()->local_fd), count(side.native()->remote_fd)};
}

enum class Trap { armed, off };

// Harness: forks the peer, which makes the state's other half, and the subject, which gets there,
// does the operation and leaves what it saw in shared memory. The subject waits for the peer's part
// by its effect on a descriptor, without reading, so the order is certain.
Observation try_cell(const std::string& state_name, const std::string& operation_name,
                     const Operation& operation, Role role, Trap trap) {
    const State& state = states.at(state_name);
    const Role other = role == Role::parent ? Role::child : Role::parent;
    Shared<Observation> seen;
    Barrier barrier = Barrier::create();
    Peer peer([&] {
        expect_outcome(barrier.set_role(other), Outcome::reached);
        if (state.peer_does == PeerDoes::place) {
            place(barrier);
        } else if (state.peer_does == PeerDoes::abort) {
            abort(barrier);
        }
        while (state.peer_then == PeerThen::stays) {
            pause();
        }
    });
    Peer subject([&] {
        if (state.has_role) {
            expect_outcome(barrier.set_role(role), Outcome::reached);
        }
        if (state.peer_does != PeerDoes::nothing) {
            await_event(barrier.native()->remote_fd);
        }
        if (state.peer_then == PeerThen::ends) {
            await_hang_up(barrier);
        }
        state.arrive(barrier);
        seen->before = snapshot(barrier);
        if (trap == Trap::armed) {
            SystemCallTrap armed;
            seen->outcome = operation(barrier, role);
            seen->system_call = armed.caught();
        } else {
            seen->outcome = operation(barrier, role);
        }
        seen->error = barrier.error().value();
        seen->after = snapshot(barrier);
        BarrierEvents events =
            operation_name == "place" ? barrier.events_for_place() : barrier.events_for_wait();
        seen->may_spin = seen->outcome == Outcome::timed_out &&
                         (events.size() == 0 || poll(events.data(), events.size(), 0) != 0);
    });
    barrier.destroy();
    CHECK(subject.ending() == reached_the_end);
    if (state.peer_then == PeerThen::ends) {
        CHECK(peer.ending() == reached_the_end);
    }
    return *seen;
}

// One cell of the table: "[here]", "ok b-1 s+1", ...
struct Cell {
    std::string result;
    bool is_quiet;  // in brackets: no system call
    int balance_change = 0;
    int seen_change = 0;

    explicit Cell(std::string text) : is_quiet(text.starts_with('[')) {
        std::erase_if(text, [](char character) { return character == '[' || character == ']'; });
        std::istringstream words(text);
        words >> result;
        for (std::string word; words >> word;) {
            (word.starts_with('b') ? balance_change : seen_change) = std::stoi(word.substr(1));
        }
    }
};

std::string text_of(const Observation& seen) {
    static const std::map<Outcome, const char*> words{{Outcome::reached, "ok"},
                                                      {Outcome::aborted_here, "here"},
                                                      {Outcome::aborted_there, "there"},
                                                      {Outcome::peer_gone, "gone"},
                                                      {Outcome::timed_out, "late"}};
    if (seen.outcome != Outcome::failed) {
        return words.at(seen.outcome);
    }
    return seen.error == EINVAL ? "EINVAL" : seen.error == EBADF ? "errno" : "another error";
}

// What the result implies for everything else that can be seen.
void check_consequences(const Cell& cell, const std::string& state, const std::string& operation,
                        const Observation& seen) {
    const BarrierStatus& before = seen.before.status;
    const BarrierStatus& after = seen.after.status;
    CHECK(after.balance - before.balance == cell.balance_change);
    CHECK(after.seen - before.seen == cell.seen_change);
    CHECK(after.failure == before.failure);

    const bool is_error = cell.result == "EINVAL" || cell.result == "errno";
    const bool learns = cell.result == "there" || cell.result == "gone" ||
                        (operation == "wait_abortion" && !is_error && cell.result != "late");
    const bool peer_aborts = states.at(state).peer_does == PeerDoes::abort;
    const bool peer_ends = states.at(state).peer_then == PeerThen::ends;
    CHECK(after.aborted_there == (before.aborted_there || (learns && peer_aborts)));
    // With a place that was put back the end behind it is to be met again.
    const bool puts_back = operation == "put_back" && cell.seen_change < 0;
    CHECK(after.peer_gone == ((before.peer_gone && !puts_back) || (learns && peer_ends)));
    if (puts_back) {
        CHECK(seen.after.remote_count - seen.before.remote_count == 1);
    } else if (operation == "put_back" && before.aborted_there) {
        CHECK(seen.after.remote_count - seen.before.remote_count ==
              std::numeric_limits<std::int64_t>::max());
    }
    CHECK(after.aborted_here == (before.aborted_here || (operation == "abort" && !is_error)));

    std::uint64_t added = 0;
    if (operation == "place" || operation == "place_and_sync") {
        added = cell.is_quiet ? 0 : 1;
    } else if (operation == "abort") {
        added = cell.is_quiet ? 0 : std::numeric_limits<std::int64_t>::max();
    }
    CHECK(seen.after.local_count - seen.before.local_count == added);
}

void check_cell(const std::string& state, const std::string& operation, const std::string& text) {
    const Cell cell(text);
    for (const Role role : {Role::parent, Role::child}) {
        for (const Operation& form : operations.at(operation)) {
            CAPTURE(state);
            CAPTURE(operation);
            CAPTURE(text);
            CAPTURE(static_cast<int>(role));
            if (SystemCallTrap::is_available()) {
                const Observation trapped = try_cell(state, operation, form, role, Trap::armed);
                CAPTURE(trapped.system_call);
                CHECK((trapped.system_call == -1) == cell.is_quiet);
            }
            const Observation seen = try_cell(state, operation, form, role, Trap::off);
            CHECK(text_of(seen) == cell.result);
            CHECK_FALSE(seen.may_spin);
            check_consequences(cell, state, operation, seen);
        }
    }
}

std::vector<std::string> cells_of(const std::string& line) {
    std::vector<std::string> cells;
    std::istringstream text(line.substr(1));
    for (std::string cell; std::getline(text, cell, '|');) {
        const auto first = cell.find_first_not_of(" `");
        const auto last = cell.find_last_not_of(" `");
        cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
    }
    return cells;
}

}  // namespace

TEST_CASE("every operation does in every state what the table in the README says") {
    std::istringstream readme(read_file(SYNCSPAWN_BARRIER_README));
    std::string line;
    while (std::getline(readme, line) && !line.starts_with("| state ")) {
    }
    const std::vector<std::string> header = cells_of(line);
    REQUIRE(header.size() == operations.size() + 1);
    std::getline(readme, line);
    std::size_t rows = 0;
    for (; std::getline(readme, line) && line.starts_with("|"); ++rows) {
        const std::vector<std::string> row = cells_of(line);
        REQUIRE(row.size() == header.size());
        for (std::size_t column = 1; column < row.size(); ++column) {
            check_cell(row[0], header[column], row[column]);
        }
    }
    CHECK(rows == states.size());
}
