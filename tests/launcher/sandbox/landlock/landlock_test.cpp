#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

#include "scene.hpp"
#include "support/namespaces.hpp"
#include "support/ordinary_user.hpp"
#include "support/shared_memory.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using sandbox::LandlockAccess;
using sandbox::LandlockPaths;
using sandbox::LandlockRules;

namespace {

#define SKIP_BELOW_LANDLOCK(version)                              \
    if (sandbox::landlock_version() < (version)) {                \
        SKIP_TEST("this kernel has no Landlock of that version"); \
    }

// The newest that any rule of the tests takes.
constexpr int all_but_log = 6;

LandlockRules writable_in(const Scene& scene) {
    return {.paths = LandlockPaths{{"/", LandlockAccess::read_only},
                                   {scene / "in", LandlockAccess::read_write},
                                   {"/dev/ptmx", LandlockAccess::read | LandlockAccess::write}}};
}

// What the program may need beside the scene, which is not in there.
LandlockRules without_the_rest(const Scene& scene) {
    LandlockRules rules{.paths = LandlockPaths{{SYNCSPAWN_TEST_HELPERS}, {scene / "in"}}};
    for (const char* const path : {"/usr", "/lib", "/lib64", "/bin", "/etc", "/proc"}) {
        rules.paths->push_back(
            {path, LandlockAccess::read_only, sandbox::LandlockLookup::must_exist});
    }
    std::erase_if(*rules.paths,
                  [](const auto& rule) { return access(rule.path.c_str(), F_OK) < 0; });
    return rules;
}

struct Case {
    Attempt attempt;
    bool is_about_reading = false;
};

std::vector<Case> attacks_on(const Scene& scene) {
    const std::string outside = scene / "out/file";
    return {{{"write", outside}},
            {{"truncate", outside}},
            {{"make", scene / "out/new"}},
            {{"make_directory", scene / "out/new"}},
            {{"remove", outside}},
            {{"rename", outside, scene / "out/renamed"}},
            {{"rename", outside, scene / "in/stolen"}},
            {{"rename", scene / "in/file", scene / "out/file"}},
            {{"link", outside, scene / "in/link"}},
            {{"control", "/dev/ptmx"}},
            {{"read", outside}, true},
            {{"list", scene / "out"}, true}};
}

// Each works without the step and is refused by it; the same inside of `in` works.
void attack(const std::string& name, bool is_expected, const Attempt& attempt, int error) {
    if (is_expected != (error == 0)) {
        std::string text = name;
        for (const std::string& argument : attempt) {
            text += " " + argument;
        }
        throw std::runtime_error(text + ": " + std::to_string(error));
    }
}

void attack_in_every_way(const Birth& birth, const Steps& first) {
    for (std::size_t index = 0; index < attacks_on(Scene()).size(); ++index) {
        const Scene open;
        const Case plain = attacks_on(open)[index];
        attack("without", true, plain.attempt, outcome_of(plain.attempt, first, birth));
        const Scene closed;
        const Case held = attacks_on(closed)[index];
        Steps steps = first;
        const LandlockRules rules =
            held.is_about_reading ? without_the_rest(closed) : writable_in(closed);
        for (const Step& step : held_to(rules)) {
            steps.push_back(step);
        }
        attack("with", false, held.attempt, outcome_of(held.attempt, steps, birth));
    }
}

}  // namespace

TEST_CASE("what the rules do not allow is refused, in whatever memory the child starts") {
    SKIP_BELOW_LANDLOCK(all_but_log);
    for (const StartMethod method : start_methods()) {
        CHECK_NOTHROW(attack_in_every_way(Birth{.method = method}, {}));
    }
}

TEST_CASE("so it is for an ordinary user") {
    SKIP_BELOW_LANDLOCK(all_but_log);
    Peer peer([] {
        become_ordinary_user();
        attack_in_every_way({}, {});
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("so it is for who is root in a user namespace") {
    SKIP_BELOW_LANDLOCK(all_but_log);
    Peer peer = peer_in_namespaces(CLONE_NEWUSER, [] {});
    CHECK_REACHED_THE_END_OR_SKIP(peer);
    for (const StartMethod method : start_methods()) {
        CHECK_NOTHROW(attack_in_every_way({.method = method, .namespaces = Namespaces::user},
                                          {steps::map_root()}));
    }
}

TEST_CASE("what the rules allow works") {
    SKIP_BELOW_LANDLOCK(all_but_log);
    const Scene scene;
    LandlockRules rules = writable_in(scene);
    rules.paths->push_back({"/dev/ptmx", LandlockAccess::control});
    const Steps steps = held_to(rules);
    const std::string file = scene / "in/file";
    for (const Attempt& attempt :
         std::vector<Attempt>{{"read", scene / "out/file"},
                              {"list", "/"},
                              {"write", file},
                              {"truncate", file},
                              {"make", scene / "in/new"},
                              {"make_directory", scene / "in/directory"},
                              {"rename", file, scene / "in/directory/file"},
                              {"remove", scene / "in/new"},
                              {"control", "/dev/ptmx"}}) {
        CAPTURE(attempt[0]);
        CHECK(outcome_of(attempt, steps) == 0);
    }
}

TEST_CASE("device nodes are made where a rule says so") {
    SKIP_BELOW_LANDLOCK(all_but_log);
    const Scene scene;
    if (geteuid() != 0 || outcome_of({"make_device", scene / "in/first"}, {}) != 0) {
        SKIP_TEST("this user cannot make device nodes");
    }
    LandlockRules rules = writable_in(scene);
    CHECK(outcome_of({"make_device", scene / "in/second"}, held_to(rules)) == EACCES);
    rules.paths->push_back({scene / "in", LandlockAccess::devices});
    CHECK(outcome_of({"make_device", scene / "in/second"}, held_to(rules)) == 0);
}

TEST_CASE("with rules for files nothing can be mounted any more") {
    SKIP_BELOW_LANDLOCK(all_but_log);
    const Scene scene;
    const Birth birth{.namespaces = Namespaces::user | Namespaces::mount};
    const Attempt attempt{"mount", scene / "in"};
    Peer peer = peer_in_namespaces(CLONE_NEWUSER | CLONE_NEWNS, [] {});
    CHECK_REACHED_THE_END_OR_SKIP(peer);
    Steps steps{steps::map_root()};
    CHECK(outcome_of(attempt, steps, birth) == 0);
    for (const Step& step : held_to(writable_in(scene))) {
        steps.push_back(step);
    }
    CHECK(outcome_of(attempt, steps, birth) == EPERM);
}

TEST_CASE("a rule is about the file: it does not reach what is mounted over it") {
    SKIP_BELOW_LANDLOCK(all_but_log);
    const Scene scene;
    Peer peer = peer_in_namespaces(CLONE_NEWUSER | CLONE_NEWNS, [] {});
    CHECK_REACHED_THE_END_OR_SKIP(peer);
    const std::string in = scene / "in";
    const std::string out = scene / "out";
    const Step cover{.name = "cover", .child = async_signal_safe([&](ChildSide& side) {
                                          return mount(out.c_str(), in.c_str(), nullptr, MS_BIND,
                                                       nullptr) < 0
                                                     ? side.fail("mount")
                                                     : side.done();
                                      })};
    const auto outcome = [&](const LandlockRules& rules) {
        Steps steps{steps::map_root(), cover};
        for (const Step& step : held_to(rules)) {
            steps.push_back(step);
        }
        return outcome_of({"write", in + "/file"}, steps,
                          {.namespaces = Namespaces::user | Namespaces::mount});
    };
    LandlockRules rules = writable_in(scene);
    CHECK(outcome(rules) == EACCES);
    rules.paths->push_back({out, LandlockAccess::read_write});
    CHECK(outcome(rules) == 0);
    rules.paths->back().path = scene / "";
    CHECK(outcome(rules) == 0);
}

TEST_CASE("a layer on another one only takes away") {
    SKIP_BELOW_LANDLOCK(all_but_log);
    const Scene scene;
    Steps steps = held_to({.paths = LandlockPaths{{"/", LandlockAccess::read_only}}});
    steps.push_back(sandbox::landlock(writable_in(scene)));
    CHECK(outcome_of({"write", scene / "in/file"}, steps) == EACCES);
    CHECK(outcome_of({"read", scene / "in/file"}, steps) == 0);
}

TEST_CASE("the step leaves memory dumpable, and can be launched again and again") {
    SKIP_BELOW_LANDLOCK(all_but_log);
    Step look{.name = "look", .child = shared_memory([](ChildSide& side) {
                                  return prctl(PR_GET_DUMPABLE) == 1 ? side.done()
                                                                     : side.fail(EIO, "dumpable");
                              })};
    for (const StartMethod method : start_methods()) {
        SyncedSpawner spawner({.program = "true", .birth = {.method = method}});
        spawner.step(steps::no_new_privileges());
        spawner.step(sandbox::landlock({.paths = LandlockPaths{{"/"}}}));
        spawner.step(look);
        for (int launch = 0; launch < 3; ++launch) {
            Process process = spawner.spawn();
            CHECK(process.start_method() == method);
            CHECK(process.wait().success());
        }
    }
}

TEST_CASE("without no_new_privs, an ordinary user is told what it takes") {
    SKIP_BELOW_LANDLOCK(all_but_log);
    Peer peer([] {
        become_ordinary_user();
        const SpawnError error =
            failure_of(SyncedSpawner({.program = "true"})
                           .step(sandbox::landlock({.paths = LandlockPaths{{"/"}}})));
        expect(error.code() == std::errc::operation_not_permitted);
        expect(std::string(error.what()).find("no_new_privileges") != std::string::npos);
        expect(error.side() == WhichSide::child);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("the seventeenth layer is refused") {
    SKIP_BELOW_LANDLOCK(all_but_log);
    SyncedSpawner spawner({.program = "true"});
    spawner.step(steps::no_new_privileges());
    for (int layer = 0; layer < 17; ++layer) {
        spawner.step(sandbox::landlock({.paths = LandlockPaths{{"/"}}}));
    }
    CHECK(std::string(failure_of(spawner).what()).find("16 layers") != std::string::npos);
}

TEST_CASE("rules that make no sense are misuse, and a path that is not there is an error") {
    SKIP_BELOW_LANDLOCK(all_but_log);
    const auto refuse = [](const LandlockRules& rules) {
        CHECK_THROWS_AS((void)sandbox::landlock(rules), std::invalid_argument);
    };
    refuse({});
    refuse({.paths = LandlockPaths{{""}}});
    refuse({.paths = LandlockPaths{{"/", LandlockAccess::none}}});
    const Scene scene;
    LandlockRules rules{.paths = LandlockPaths{{"/"}, {scene / "absent"}}};
    CHECK_THROWS_AS((void)sandbox::landlock(rules), std::system_error);
    rules.paths->back().lookup = sandbox::LandlockLookup::if_present;
    CHECK_NOTHROW((void)sandbox::landlock(rules));
}

TEST_CASE("a link is followed, or left out, as the rule says") {
    SKIP_BELOW_LANDLOCK(all_but_log);
    const Scene scene;
    REQUIRE(symlink((scene / "out").c_str(), (scene / "link").c_str()) == 0);
    LandlockRules rules = writable_in(scene);
    rules.paths->push_back(
        {scene / "link", LandlockAccess::read_write, sandbox::LandlockLookup::if_present});
    CHECK(outcome_of({"write", scene / "out/file"}, held_to(rules)) == EACCES);
    rules.paths->back().lookup = sandbox::LandlockLookup::must_exist;
    CHECK(outcome_of({"write", scene / "out/file"}, held_to(rules)) == 0);
}
