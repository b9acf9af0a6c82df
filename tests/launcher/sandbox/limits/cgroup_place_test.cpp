#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <syncspawn/sandbox/cgroup.hpp>

#include "launcher/sandbox/limits/launch_cgroup.hpp"
#include "launcher/sandbox/limits/names.hpp"
#include "support/delegated_cgroup.hpp"
#include "support/nothing_is_left.hpp"
#include "support/ordinary_user.hpp"
#include "support/peer.hpp"
#include "support/shared.hpp"

// Where the cgroups of launches are made, what is refused there and why, and what is swept.

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

bool has_controller(const CgroupFacts& facts, const std::string& controller) {
    return std::find(facts.controllers.begin(), facts.controllers.end(), controller) !=
           facts.controllers.end();
}

// One with a fixed name below `parent`; gone with this.
class Below {
public:
    Below(const Cgroup& parent, const std::string& name) : path_(parent.path() + "/" + name) {
        REQUIRE(mkdir(path_.c_str(), 0755) == 0);
    }
    ~Below() {
        comes_true([&] { return rmdir(path_.c_str()) == 0 || errno == ENOENT; });
    }
    Below(const Below&) = delete;
    Below& operator=(const Below&) = delete;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] bool exists() const { return std::filesystem::exists(path_); }

private:
    std::string path_;
};

// The name that this process gives, with another pid or start time.
std::string name_with(const std::string& process_and_start, CgroupUse use = CgroupUse::launch) {
    const std::string own = name_of_cgroup(use, 0);
    const std::string first = std::to_string(getpid()) + "-";
    const std::size_t at = own.find(first);
    const std::size_t end = own.find('-', at + first.size());
    return own.substr(0, at) + process_and_start + own.substr(end);
}

// Of a process that has ended, and was reaped.
std::string dead_pid() {
    Peer peer([] {});
    CHECK(peer.ending() == reached_the_end);
    return std::to_string(peer.pid());
}

}  // namespace

TEST_CASE("a controller that is not there is refused for each limit that needs it, all at once") {
    const NothingIsLeft check;
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    const Below empty(cgroup, "empty");  // the one above passes nothing on
    const auto problems = cgroup_problems(
        {.memory = 1U << 30U, .swap = 1, .processes = 9, .cpus = 1}, {.parent = empty.path()});
    REQUIRE(problems.size() == 3);
    CHECK(problems[0].limit == "memory, swap");
    CHECK(problems[1].limit == "processes");
    CHECK(problems[2].limit == "cpus");
    for (const CgroupProblem& problem : problems) {
        CHECK(problem.path == empty.path() + "/cgroup.controllers");
        CHECK(problem.error == std::errc::not_supported);
        CHECK(contains(problem.cause, "the controller '"));
    }
    CHECK(cgroups_below(empty.path()).empty());
}

TEST_CASE("a controller that is held back above is told from one that is not there") {
    const DelegatedCgroup cgroup;
    if (!cgroup) {
        return;
    }
    const Below empty(*cgroup, "empty");
    const auto problems = cgroup_problems(cgroup.limits(), {.parent = empty.path()});
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].cause == "the controller '" + cgroup.controller() +
                                   "' is not passed on (cgroup.subtree_control of " +
                                   cgroup->path() + ")");
    CHECK(contains(problems[0].remedy, "Delegate="));
    CHECK(cgroup_problems(cgroup.limits(), {.parent = cgroup->path()}).empty());
}

TEST_CASE("a limit that the kernel does not have is refused, and named with its file") {
    const DelegatedCgroup cgroup;
    if (!cgroup) {
        return;
    }
    if (cgroup.controller() != "hugetlb") {
        SKIP_TEST("no controller 'hugetlb'");
    }
    const auto problems =
        cgroup_problems({.huge_pages = {{2U << 20U, 0}, {4096, 0}}}, {.parent = cgroup->path()});
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].to_string() == "huge_pages: " + cgroup->path() +
                                         "/.../hugetlb.4KB.max: this kernel cannot limit that "
                                         "(No such file or directory)");
    CHECK(cgroups_below(cgroup->path()).empty());
}

TEST_CASE("what is no cgroup is no place for one") {
    const NothingIsLeft check;
    const auto elsewhere = cgroup_problems({}, {.parent = "/tmp"});
    REQUIRE(elsewhere.size() == 1);
    CHECK(elsewhere[0].to_string() == "/tmp: is no cgroup of version 2 (Operation not supported)");
    const auto nowhere = cgroup_problems({}, {.parent = "/nowhere"});
    REQUIRE(nowhere.size() == 1);
    CHECK(nowhere[0].error == std::errc::no_such_file_or_directory);
    CHECK_THROWS_AS(sweep_cgroups({.parent = "/nowhere"}), CgroupError);
}

TEST_CASE("a cgroup of threads is no place for one") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    const Below threads(cgroup, "threads");
    REQUIRE(write_to(threads.path() + "/cgroup.type", "threaded"));
    for (const std::string& path : {threads.path(), cgroup.path()}) {
        const auto problems = cgroup_problems({}, {.parent = path});
        REQUIRE(problems.size() == 1);
        CHECK(problems[0].to_string() ==
              path +
                  "/cgroup.type: is a cgroup of threads, with none below it that takes a process "
                  "(Operation not supported)");
    }
}

TEST_CASE("where the user may not write, the way to a place is told") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    if (geteuid() != 0) {
        SKIP_TEST("only root can make a cgroup that is not its own");
    }
    Peer peer([&] {
        become_ordinary_user();
        const auto problems = cgroup_problems({}, {.parent = cgroup.path()});
        expect(problems.size() == 1 && problems[0].error == std::errc::permission_denied);
        expect(contains(problems[0].to_string(), "systemd-run --user --scope -p Delegate=yes"));
        const CgroupFacts facts = cgroup_facts({.parent = cgroup.path()});
        expect(facts.parent.empty() && facts.controllers.empty() && facts.problems.size() == 1);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("an ordinary user has cgroups in one that was given away") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    if (!cgroup.give_away()) {
        SKIP_TEST("only root can give a cgroup away");
    }
    Peer outside([&] {
        become_ordinary_user();
        const auto problems = cgroup_problems({}, {.parent = cgroup.path()});
        expect(problems.size() == 1 && problems[0].error == std::errc::permission_denied);
        expect(contains(problems[0].cause, "may move no process"));
    });
    CHECK(outside.ending() == reached_the_end);
    Peer peer([&] {
        expect(cgroup.take(getpid()));
        become_ordinary_user();
        expect(cgroup_problems({}, {.parent = cgroup.path()}).empty());
        expect(cgroup_problems({}).empty());
        expect(cgroup_facts({.parent = cgroup.path()}).parent == cgroup.path());
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a process that is in the way is named, or moves if it may") {
    const DelegatedCgroup cgroup;
    if (!cgroup) {
        return;
    }
    const CgroupPlace place{.parent = cgroup->path()};
    const CgroupPlace place_of_mover{.parent = cgroup->path(),
                                     .caller = CgroupPlace::Caller::moves};
    Peer peer([&] {
        expect(cgroup->take(getpid()));
        const auto problems = cgroup_problems(cgroup.limits(), place);
        expect(problems.size() == 1 && problems[0].error == std::errc::device_or_resource_busy);
        expect(contains(problems[0].cause, "is this one"));
        expect(contains(problems[0].remedy, "Caller::moves"));
        expect(cgroup_facts(place).controllers.empty());
        expect(has_controller(cgroup_facts(place_of_mover), cgroup.controller()));
        {
            // Somebody else is there as well.
            const Peer other([] { pause(); });
            const auto others = cgroup_problems(cgroup.limits(), place_of_mover);
            expect(others.size() == 1 && contains(others[0].cause, std::to_string(other.pid())));
        }
        expect(cgroup_problems(cgroup.limits(), place_of_mover).empty());
        // From now on the place that is found is the one that it has left.
        expect(contains(read_file("/proc/self/cgroup"), "/syncspawn-caller-"));
        expect(cgroup_facts().parent == cgroup->path());
        expect(cgroup_problems(cgroup.limits()).empty());
    });
    CHECK(peer.ending() == reached_the_end);
    // What it has moved to is swept, now that it is dead.
    CHECK(sweep_cgroups(place) == 1);
    CHECK(cgroups_below(cgroup->path()).empty());
}

TEST_CASE("the facts are found without a trace") {
    const NothingIsLeft check;
    const DelegatedCgroup cgroup;
    if (!cgroup) {
        return;
    }
    const CgroupFacts facts = cgroup_facts({.parent = cgroup->path()});
    CHECK(cgroup->path().starts_with(facts.mount));
    CHECK(facts.parent == cgroup->path());
    CHECK(has_controller(facts, cgroup.controller()));
    CHECK(facts.controllers.size() + facts.problems.size() == 5);
    CHECK(read_file(cgroup->path() + "/cgroup.subtree_control").empty());
    CHECK(cgroups_below(cgroup->path()).empty());
}

TEST_CASE(
    "a process that was killed while it looked for the facts leaves nothing to the next one") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    const Below dead(cgroup, name_with(dead_pid() + "-77", CgroupUse::trial));
    (void)cgroup_facts({.parent = cgroup.path()});
    CHECK(!dead.exists());
}

TEST_CASE("what a dead launcher has left behind is swept, and nothing else") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    const CgroupPlace place{.parent = cgroup.path()};
    const Below dead(cgroup, name_with(dead_pid() + "-77"));
    const Below other_start(cgroup, name_with(std::to_string(getpid()) + "-77"));
    const Below alive(cgroup, name_of_cgroup(CgroupUse::launch, 7));
    const Below no_number(cgroup, "syncspawn-launch-x");
    const Below other_namespace(cgroup, "syncspawn-launch-" + dead_pid() + "-77-1-0");
    const Below held(cgroup, name_with(dead_pid() + "-78"));
    const Below used(cgroup, name_with(dead_pid() + "-79"));

    const UniqueFd lock(open(held.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(flock(lock.get(), LOCK_SH) == 0);
    const Gate gate;
    Peer user([&] { expect(gate.wait()); });
    REQUIRE(write_to(used.path() + "/cgroup.procs", std::to_string(user.pid())));

    CHECK(sweep_cgroups(place) == 2);
    CHECK(!dead.exists());
    CHECK(!other_start.exists());
    for (const Below* const kept : {&alive, &no_number, &other_namespace, &held, &used}) {
        CAPTURE(kept->path());
        CHECK(kept->exists());
    }
    gate.open();
    CHECK(user.ending() == reached_the_end);
}

TEST_CASE("a cgroup is removed with those below it, however deep") {
    const NothingIsLeft check;
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    LaunchCgroup launch;
    REQUIRE(launch.make(cgroup.fd(), cgroup.path(), CgroupUse::launch).error == 0);
    std::string path = cgroup.path() + "/" + cgroups_below(cgroup.path()).front();
    for (int level = 0; level < 20; ++level) {
        mkdir((path + "/beside").c_str(), 0755);
        path += "/below";
        REQUIRE(mkdir(path.c_str(), 0755) == 0);
    }
    CHECK(launch.remove().error == 0);
    CHECK(cgroups_below(cgroup.path()).empty());
}

TEST_CASE("two cgroups of one process have different names, and each its lock") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    LaunchCgroup first;
    LaunchCgroup second;
    CHECK(first.make(cgroup.fd(), cgroup.path(), CgroupUse::launch).error == 0);
    CHECK(second.make(cgroup.fd(), cgroup.path(), CgroupUse::launch).error == 0);
    CHECK(cgroups_below(cgroup.path()).size() == 2);
    CHECK(sweep_cgroups({.parent = cgroup.path()}) == 0);
    CHECK(first.remove().error == 0);
    CHECK(second.remove().error == 0);
}

// As before Linux 5.14.
TEST_CASE("without cgroup.kill those in a cgroup and below it are killed one by one") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    const Below below(cgroup, "below");
    Peer first([] { pause(); });
    Peer second([] { pause(); });
    REQUIRE(cgroup.take(first.pid()));
    REQUIRE(write_to(below.path() + "/cgroup.procs", std::to_string(second.pid())));
    const UniqueFd directory(open(cgroup.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    CHECK(kill_one_by_one(directory.get()));
    CHECK(WTERMSIG(first.wait_status()) == SIGKILL);
    CHECK(WTERMSIG(second.wait_status()) == SIGKILL);
    CHECK(cgroup.becomes_empty());
}
