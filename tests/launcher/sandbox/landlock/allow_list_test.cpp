#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "launcher/sandbox/landlock/allow_list.hpp"
#include "scene.hpp"
#include "support/ordinary_user.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using sandbox::allow_list;
using sandbox::AllowListOptions;
using sandbox::FileAccess;
using sandbox::FileRule;
using sandbox::FileView;
using sandbox::HiddenNames;

namespace {

#define SKIP_WITHOUT_LANDLOCK()                                   \
    if (sandbox::landlock_version() < 6) {                        \
        SKIP_TEST("this kernel has no Landlock of that version"); \
    }

void make_directory(const std::string& path) {
    REQUIRE(mkdir(path.c_str(), 0700) == 0);
    REQUIRE(chmod(path.c_str(), 0777) == 0);
}

void make_file(const std::string& path) {
    std::ofstream(path) << "content\n";
    REQUIRE(chmod(path.c_str(), 0666) == 0);
}

// work, writable: source, and in it .git, protected, and secret, hidden; in .git hooks, writable; free.
class Tree {
public:
    Tree() {
        for (const char* const name :
             {"work", "work/source", "work/source/.git", "work/source/.git/hooks",
              "work/source/secret", "work/source/module", "work/free", "tmp", "own"}) {
            make_directory(scene_ / name);
            make_file(scene_ / name + "/file");
        }
    }
    std::string operator/(const std::string& name) const { return scene_ / name; }

    [[nodiscard]] FileView view() const {
        return {.rules = {{"/", FileAccess::read_only},
                          {scene_ / "out", FileAccess::hidden},
                          {scene_ / "work", FileAccess::writable},
                          {scene_ / "work/free", FileAccess::writable},
                          {scene_ / "work/free/.git", FileAccess::protected_path,
                           FileRule::Kind::absent},
                          {scene_ / "work/nothing", FileAccess::hidden, FileRule::Kind::absent},
                          {scene_ / "work/source/.git", FileAccess::protected_path},
                          {scene_ / "work/source/.git/hooks", FileAccess::writable},
                          {scene_ / "work/source/secret", FileAccess::hidden}},
                .private_tmp = scene_ / "tmp"};
    }

private:
    Scene scene_;
};

struct Outcome {
    Attempt attempt;
    int error;
};

std::vector<Outcome> outcomes_in(const Tree& tree) {
    const std::string source = tree / "work/source";
    const std::string free = tree / "work/free";
    return {
        {{"write", source + "/module/file"}, 0},
        {{"make", source + "/module/new"}, 0},
        {{"remove", source + "/module/new"}, 0},
        {{"write", source + "/file"}, 0},
        {{"write", free + "/file"}, 0},
        {{"read", tree / "in/file"}, 0},
        {{"read", source + "/.git/file"}, 0},
        {{"list", source + "/.git"}, 0},
        {{"write", source + "/.git/hooks/file"}, 0},
        {{"make", source + "/.git/hooks/new"}, 0},
        {{"make", tree / "own/new"}, 0},
        // outside
        {{"write", tree / "in/file"}, EACCES},
        {{"make", tree / "in/new"}, EACCES},
        // protected
        {{"write", source + "/.git/file"}, EACCES},
        {{"truncate", source + "/.git/file"}, EACCES},
        {{"make", source + "/.git/new"}, EACCES},
        {{"rename", source + "/.git", source + "/module/.git"}, EACCES},
        {{"rename", source, tree / "work/moved"}, EACCES},
        {{"make_directory", free + "/.git"}, EACCES},
        {{"make", free + "/.git"}, EACCES},
        // hidden
        {{"read", source + "/secret/file"}, EACCES},
        {{"list", source + "/secret"}, EACCES},
        {{"list", source}, EACCES},
        {{"write", source + "/secret/file"}, EACCES},
        {{"read", tree / "out/file"}, EACCES},
        // stricter: beside an excluded path
        {{"make", source + "/new"}, EACCES},
        {{"remove", source + "/file"}, EACCES},
        // the host's tmp
        {{"read", tree / "tmp/file"}, EACCES},
        {{"make", tree / "tmp/new"}, EACCES},
        // devices
        {{"write", "/dev/null"}, 0},
        {{"read", "/dev/urandom"}, 0},
        {{"control", "/dev/ptmx"}, 0},
        {{"read", "/proc/self/status"}, 0},
        {{"write", "/proc/self/comm"}, EACCES},
    };
}

void expect_outcomes(const Tree& tree, const FileView& view, const AllowListOptions& options) {
    const Steps steps = held_to(allow_list(view, options));
    for (const auto& [attempt, error] : outcomes_in(tree)) {
        const int outcome = outcome_of(attempt, steps);
        if (outcome != error) {
            throw std::runtime_error(attempt[0] + " " + attempt[1] + ": " +
                                     std::to_string(outcome));
        }
    }
}

std::string shown_by(const std::string& text, const FileView& view) {
    SpawnOptions options = shell(text);
    options.streams.output = Stdio::pipe();
    SyncedSpawner spawner(std::move(options));
    for (const Step& step : held_to(allow_list(view))) {
        spawner.step(step);
    }
    Process process = spawner.spawn();
    return read_all(process.standard_output());
}

}  // namespace

TEST_CASE(
    "a view of files holds by siblings: hidden, protected, absent, and writable again below") {
    SKIP_WITHOUT_LANDLOCK();
    const Tree tree;
    CHECK_NOTHROW(expect_outcomes(tree, tree.view(), {.private_directory = tree / "own"}));
    const Tree of_ordinary_user;
    Peer peer([&] {
        become_ordinary_user();
        expect_outcomes(of_ordinary_user, of_ordinary_user.view(),
                        {.private_directory = of_ordinary_user / "own"});
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("so it is where the root is writable, and /proc and the other devices are not") {
    SKIP_WITHOUT_LANDLOCK();
    const Tree tree;
    FileView view = tree.view();
    view.rules[0].access = FileAccess::writable;
    view.rules.push_back({tree / "in", FileAccess::read_only});
    CHECK_NOTHROW(expect_outcomes(tree, view, {.private_directory = tree / "own"}));
}

TEST_CASE("the names of a hidden directory are closed, or shown") {
    SKIP_WITHOUT_LANDLOCK();
    const Tree tree;
    const Attempt list{"list", tree / "work/source/secret"};
    const Attempt list_above{"list", tree / "work/source"};
    const Attempt read{"read", tree / "work/source/secret/file"};
    const Steps closed = held_to(allow_list(tree.view()));
    const Steps shown = held_to(allow_list(tree.view(), {.hidden_names = HiddenNames::shown}));
    CHECK(outcome_of(list, closed) == EACCES);
    CHECK(outcome_of(list, shown) == 0);
    CHECK(outcome_of(list_above, shown) == 0);
    CHECK(outcome_of({"list", "/"}, shown) == 0);
    CHECK(outcome_of(read, shown) == EACCES);
}

TEST_CASE("what is made later beside a hidden path stays closed, and elsewhere it is open") {
    SKIP_WITHOUT_LANDLOCK();
    const Tree tree;
    const Steps steps = held_to(allow_list(tree.view()));
    make_file(tree / "work/source/later");
    make_file(tree / "work/source/module/later");
    CHECK(outcome_of({"read", tree / "work/source/later"}, steps) == EACCES);
    CHECK(outcome_of({"read", tree / "work/source/module/later"}, steps) == 0);
}

TEST_CASE("a link beside a hidden path opens nothing") {
    SKIP_WITHOUT_LANDLOCK();
    const Tree tree;
    REQUIRE(symlink((tree / "work/source/secret").c_str(), (tree / "work/source/link").c_str()) ==
            0);
    const Steps steps = held_to(allow_list(tree.view()));
    CHECK(outcome_of({"read", tree / "work/source/link/file"}, steps) == EACCES);
    CHECK(outcome_of({"read", tree / "work/source/secret/file"}, steps) == EACCES);
}

TEST_CASE("ordinary programs run, also where hardly anything is to be seen") {
    SKIP_WITHOUT_LANDLOCK();
    const std::string text =
        "echo x >/dev/null && read one <<E && echo $one $(head -c 0 /dev/zero | wc -c) $(cat "
        "/proc/self/comm)\n"
        "two\nE";
    const FileView whole{.rules = {{"/", FileAccess::read_only}}};
    FileView little{.rules = {{"/", FileAccess::hidden}}};
    for (const char* const path : {"/bin", "/etc", "/lib", "/lib64", "/usr"}) {
        little.rules.push_back({path, FileAccess::read_only});
    }
    little.rules.push_back({"/tmp", FileAccess::writable});  // a here-document of an old shell
    CHECK(shown_by(text, whole) == "two 0 cat\n");
    CHECK(shown_by(text, little) == "two 0 cat\n");
}

TEST_CASE("the other devices are closed, whatever the view says of /dev") {
    SKIP_WITHOUT_LANDLOCK();
    const FileView view{.rules = {{"/", FileAccess::read_only}, {"/dev", FileAccess::writable}}};
    const sandbox::LandlockRules rules = allow_list(view);
    const auto opened = [&](const std::string& path) {
        return std::any_of(rules.paths->begin(), rules.paths->end(),
                           [&](const auto& rule) { return rule.path == path; });
    };
    CHECK(opened("/dev/null"));
    CHECK_FALSE(opened("/dev/shm"));
    CHECK(outcome_of({"make", "/dev/syncspawn-test"}, held_to(rules)) == EACCES);
    CHECK(outcome_of({"list", "/dev"}, held_to(rules)) == 0);
}

TEST_CASE("a directory that is too large is refused by name") {
    const Tree tree;
    for (int file = 0; file < 20; ++file) {
        make_file(tree / "work/source/file" + std::to_string(file));
    }
    CHECK_NOTHROW((void)allow_list(tree.view(), {.most_siblings = 1000}));
    const FileView view{.rules = {{"/", FileAccess::hidden},
                                  {tree / "work/source", FileAccess::writable},
                                  {tree / "work/source/secret", FileAccess::hidden}}};
    try {
        (void)allow_list(view, {.most_siblings = 20});
        FAIL("it was not refused");
    } catch (const std::system_error& error) {
        CHECK(error.code().value() == E2BIG);
        CHECK(std::string(error.what()).find("work/source'") != std::string::npos);
    }
}
