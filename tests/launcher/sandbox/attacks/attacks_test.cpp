#include <doctest/doctest.h>
#include <unistd.h>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <syncspawn/sandbox/enforcement.hpp>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/skip.hpp"
#include "table.hpp"
#include "world.hpp"

// The table of attacks in docs/sandbox.md says what happens.

using namespace syncspawn;
using namespace syncspawn::attacks;
using namespace syncspawn::testing;

namespace {

std::vector<Row> table() { return read_table(read_file(SYNCSPAWN_ATTACKS_DOCUMENT)); }

struct KnownAttack {
    std::string who;      // "everybody" or "root" can do it without a sandbox
    std::string lacking;  // the errno of a machine without what is attacked
};

// Those that the program has, by their names.
std::map<std::string, KnownAttack> known_attacks() {
    std::map<std::string, KnownAttack> all;
    std::istringstream lines(
        output_of({.program = SYNCSPAWN_TEST_HELPERS "/attack", .arguments = {"list"}}));
    for (std::string name; std::getline(lines, name, '\t');) {
        KnownAttack& one = all[name];
        lines >> one.who >> one.lacking >> std::ws;
    }
    all[attack_by_swapping] = {"everybody", "-"};
    return all;
}

bool has_run(const Attacked& result) {
    if (!result.left_out.empty()) {
        leave_out(result.left_out);
        return false;
    }
    CHECK(result.ending == "reached the end");
    return result.ending == "reached the end";
}

std::string outcome_in(const Attacked& result, const std::string& attack) {
    const auto found = result.outcomes.find(attack);
    return found == result.outcomes.end() ? "none" : found->second;
}

std::string name_of(Verdict verdict) {
    return verdict == Verdict::denied    ? "denied"
           : verdict == Verdict::allowed ? "allowed"
                                         : "not covered";
}

// What stands in the cell of each row, and what happened.
void check_column(Mechanisms mechanisms, std::size_t column, User user) {
    const Attacked result = attacked(user, mechanisms);
    if (!has_run(result)) {
        return;
    }
    for (const Row& row : table()) {
        const Cell& cell = row.cells.at(column);
        const Verdict verdict = user == User::root ? cell.for_root : cell.for_others;
        const std::string outcome = outcome_in(result, row.attack);
        INFO(row.attack << " is " << name_of(verdict) << ", says the table; outcome: " << outcome);
        if (!outcome.starts_with("untried")) {
            CHECK((outcome == "worked" || outcome.starts_with("denied")));
            CHECK((outcome == "worked") == (verdict != Verdict::denied));
        }
    }
}

void check_without_sandbox(User user) {
    const Attacked result = attacked(user, Mechanisms::nothing);
    if (!has_run(result)) {
        return;
    }
    for (const auto& known : known_attacks()) {
        const std::string& name = known.first;
        const KnownAttack& attack = known.second;
        const std::string outcome = outcome_in(result, name);
        INFO(name << ": " << outcome);
        if (outcome.starts_with("untried") || outcome == "denied " + attack.lacking) {
            leave_out("nobody can " + name + " here: " + outcome);
        } else if (user == User::root || attack.who == "everybody") {
            CHECK(outcome == "worked");
        }
    }
}

template <class Check>
void for_root_and_others(Check check) {
    if (geteuid() == 0) {
        SUBCASE("as root") { check(User::root); }
    }
    SUBCASE("as an ordinary user") { check(User::ordinary); }
}

template <class Check>
void for_all_users(Check check) {
    for_root_and_others(check);
    if (geteuid() == 0) {
        SUBCASE("as root, for nobody") { check(User::nobody_by_root); }
    }
}

}  // namespace

TEST_CASE("each attack has a row, and each row an attack") {
    std::set<std::string> in_table;
    for (const Row& row : table()) {
        INFO(row.attack);
        CHECK(in_table.insert(row.attack).second);
    }
    std::set<std::string> in_program;
    for (const auto& [name, attack] : known_attacks()) {
        in_program.insert(name);
    }
    CHECK(in_table == in_program);
}

TEST_CASE("each row is of a guarantee") {
    std::set<std::string> names;
    for (int number = 0; number <= static_cast<int>(sandbox::Guarantee::limits); ++number) {
        names.emplace(sandbox::name_of(static_cast<sandbox::Guarantee>(number)));
    }
    for (const Row& row : table()) {
        INFO(row.attack);
        CHECK(names.contains(row.guarantee));
    }
}

TEST_CASE("without a sandbox each attack works") { for_root_and_others(check_without_sandbox); }

TEST_CASE("namespaces do to each attack what the table says") {
    for_all_users([](User user) { check_column(Mechanisms::namespaces, 0, user); });
}

// Without namespaces root cannot launch for others.
TEST_CASE("Landlock and seccomp do to each attack what the table says") {
    for_root_and_others([](User user) { check_column(Mechanisms::landlock_and_seccomp, 1, user); });
}

TEST_CASE("both do to each attack what the table says") {
    for_all_users([](User user) { check_column(Mechanisms::both, 2, user); });
}
