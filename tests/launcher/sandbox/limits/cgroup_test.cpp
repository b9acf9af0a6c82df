#include <syncspawn/sandbox/cgroup.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/delegated_cgroup.hpp"
#include "support/nothing_is_left.hpp"
#include "support/ordinary_user.hpp"
#include "support/shared.hpp"
#include "support/steps.hpp"
#include "support/ways_to_launch.hpp"

// sandbox::cgroup(): a cgroup for each launch.

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

Step without_limits(const Cgroup& cgroup) { return sandbox::cgroup({}, {.parent = cgroup.path()}); }

// A program that leaves a process with a session of its own behind, which holds the standard output.
SpawnOptions leaving_one_behind(const std::string& last_words) {
    SpawnOptions options = shell("setsid sleep 1000 & echo there; " + last_words);
    options.streams.output = Stdio::pipe();
    return options;
}

void await_line(int fd) {
    for (char letter = 0; letter != '\n';) {
        REQUIRE(read(fd, &letter, 1) == 1);
    }
}

bool is_empty(const Cgroup& cgroup) { return cgroups_below(cgroup.path()).empty(); }

}  // namespace

TEST_CASE("each launch has a cgroup of its own with the limits, from birth on") {
    const NothingIsLeft check;
    const DelegatedCgroup cgroup;
    if (!cgroup) {
        return;
    }
    SyncedSpawner spawner(shell("cat /proc/self/cgroup; read line"));
    spawner.step(sandbox::cgroup(cgroup.limits(), {.parent = cgroup->path()}));
    SUBCASE("a bare launch") {}
    SUBCASE("a launch with a child's part, which finds itself there") {
        spawner.step({.name = "look",
                      .child = async_signal_safe([](ChildSide& side) {
                          char text[4096];
                          const UniqueFd file(open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC));
                          const ssize_t size = read(file.get(), text, sizeof text);
                          const std::string_view seen(text, static_cast<std::size_t>(size));
                          return seen.find("/syncspawn-launch-") == std::string_view::npos
                                     ? side.fail(ENOENT, "cgroup")
                                     : side.done();
                      })});
    }
    for (const Way way : both_ways) {
        SpawnOptions options = spawner.options();
        options.streams = {.input = Stdio::pipe(), .output = Stdio::pipe()};
        const SyncedSpawner piped = spawner.with(options);
        SpawnError error;
        Process first = way(piped, error);
        Process second = way(piped, error);
        REQUIRE(first);
        REQUIRE(second);
        const CgroupState state = read_cgroup(first.pid());
        CHECK(state.directory.starts_with(cgroup->path() + "/syncspawn-launch-" +
                                          std::to_string(getpid()) + "-"));
        CHECK(state.limits == cgroup.limits_read_back());
        CHECK(read_cgroup(second.pid()).directory != state.directory);
        CHECK(cgroups_below(cgroup->path()).size() == 2);
        first.take_standard_input().reset();
        second.take_standard_input().reset();
        CHECK(read_all(first.standard_output()).find("/syncspawn-launch-") != std::string::npos);
        first.wait();
        second.wait();
        CHECK(first.after_end_failures().empty());
        CHECK(is_empty(*cgroup));
    }
}

TEST_CASE("what a program leaves behind ends with it, however that is seen to end") {
    const NothingIsLeft check;
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    UniqueFd output;
    SUBCASE("by wait()") {
        Process process = with_step(leaving_one_behind("exit 3"), without_limits(cgroup)).spawn();
        output = process.take_standard_output();
        CHECK(process.wait() == ExitStatus::exited(3));
        CHECK(process.after_end_failures().empty());
    }
    SUBCASE("by kill()") {
        Process process =
            with_step(leaving_one_behind("exec sleep 1000"), without_limits(cgroup)).spawn();
        output = process.take_standard_output();
        await_line(output.get());
        CHECK(process.kill() == ExitStatus::killed(SIGKILL));
        CHECK(process.after_end_failures().empty());
    }
    SUBCASE("by the destructor") {
        Process process =
            with_step(leaving_one_behind("exec sleep 1000"), without_limits(cgroup)).spawn();
        output = process.take_standard_output();
        await_line(output.get());
    }
    SUBCASE("while some of it is in a cgroup below") {
        SpawnOptions options = shell(
            "own=" + cgroup.path() +
            "/$(sed -n 's/^0::.*\\///p' /proc/self/cgroup); mkdir -p $own/below/below; "
            "setsid sh -c \"echo \\$\\$ > $own/below/below/cgroup.procs; echo; exec sleep 1000\" & "
            "wait");
        options.streams.output = Stdio::pipe();
        Process process = with_step(options, without_limits(cgroup)).spawn();
        output = process.take_standard_output();
        await_line(output.get());
        process.kill();
        CHECK(process.after_end_failures().empty());
    }
    read_all(output.get());  // nobody holds it any more
    CHECK(is_empty(cgroup));
}

TEST_CASE("a run that is out of time ends what its program has started, and its streams") {
    const NothingIsLeft check;
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    // No time at all is too short for any program; what it starts before the kill does not matter.
    SyncedSpawner spawner(shell("setsid sleep 1000 & setsid sleep 1000 & sleep 1000"));
    spawner.step(without_limits(cgroup));
    // The launch itself must have been in time.
    for (std::chrono::milliseconds within(50);; within *= 2) {
        try {
            CHECK(!run(spawner, {.within = within}).success());
            break;
        } catch (const SpawnError& error) {
            REQUIRE(error.code() == std::errc::timed_out);
        }
    }
    CHECK(is_empty(cgroup));
}

TEST_CASE("a launch that fails leaves no cgroup behind") {
    const NothingIsLeft check;
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    for (const Way way : both_ways) {
        SyncedSpawner not_there({.program = "/nowhere"});
        not_there.step(without_limits(cgroup));
        CHECK(text_after(way, not_there).find("/nowhere") != std::string::npos);
        CHECK(is_empty(cgroup));

        SyncedSpawner refused(shell("exit 0"));
        refused.step(without_limits(cgroup));
        refused.step({.name = "no", .child = async_signal_safe([](ChildSide& side) {
                                        return side.fail(EPERM, "no");
                                    })});
        CHECK(text_after(way, refused).starts_with("no in the child"));
        CHECK(is_empty(cgroup));
    }
}

TEST_CASE("a launch whose place is gone fails, and says where that was") {
    const NothingIsLeft check;
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    const std::string place = cgroup.path() + "/place";
    REQUIRE(mkdir(place.c_str(), 0755) == 0);
    const Step step = sandbox::cgroup({}, {.parent = place});
    REQUIRE(rmdir(place.c_str()) == 0);
    const SpawnError error = failure_of(with_step(shell("exit 0"), step));
    CHECK(error.code() == std::errc::no_such_file_or_directory);
    CHECK(std::string(error.what()).find("mkdir in '" + place + "'") != std::string::npos);
}

TEST_CASE("the usage is told when nothing runs any more, and before the cgroup is removed") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    std::vector<CgroupUsage> usages;
    bool was_there = false;
    SyncedSpawner spawner(shell("exit 0"));
    spawner.step(sandbox::cgroup({}, {.parent = cgroup.path()}, [&](const CgroupUsage& usage) {
        usages.push_back(usage);
        was_there = !is_empty(cgroup);
    }));
    spawner.spawn().wait();
    spawner.spawn().wait();
    REQUIRE(usages.size() == 2);
    CHECK(was_there);
    CHECK(usages[0].cpu_microseconds);
}

TEST_CASE("a program that is released keeps its cgroup") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    Process process = with_step(shell("exec sleep 1000"), without_limits(cgroup)).spawn();
    const pid_t pid = process.release();
    CHECK(cgroups_below(cgroup.path()).size() == 1);
    CHECK(sweep_cgroups({.parent = cgroup.path()}) == 0);
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    // It is this process's to remove.
    const std::string left = cgroup.path() + "/" + cgroups_below(cgroup.path()).front();
    CHECK(comes_true([&] { return rmdir(left.c_str()) == 0; }));
}

TEST_CASE("what a killed launcher has left behind, the next launch removes") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    Peer launcher([&] {
        SpawnOptions options = shell("exec sleep 1000");
        options.ending.die_with_parent = true;
        const Process process = with_step(options, without_limits(cgroup)).spawn();
        raise(SIGKILL);
    });
    CHECK(WTERMSIG(launcher.wait_status()) == SIGKILL);
    CHECK(cgroups_below(cgroup.path()).size() == 1);
    REQUIRE(cgroup.becomes_empty());
    const Step next = without_limits(cgroup);
    CHECK(is_empty(cgroup));
}

TEST_CASE("an ordinary user launches into a cgroup that was given away") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    if (!cgroup.give_away()) {
        SKIP_TEST("only root can give a cgroup away");
    }
    Peer peer([&] {
        expect(cgroup.take(getpid()));
        become_ordinary_user();
        UniqueFd output;
        {
            Process process = with_step(leaving_one_behind("exit 3"), sandbox::cgroup({})).spawn();
            output = process.take_standard_output();
            expect(process.wait() == ExitStatus::exited(3));
            expect(process.after_end_failures().empty());
        }
        read_all(output.get());
        expect(is_empty(cgroup));
    });
    CHECK(peer.ending() == reached_the_end);
}
