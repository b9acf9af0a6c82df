#include <syncspawn/sandbox/bindings.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox.hpp>

#include "support/bound_socket.hpp"
#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/skip.hpp"
#include "support/terminals.hpp"

// What a policy names and a launch binds: descriptors, trees, the terminal.

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

// A directory that the program may use, whoever it is.
class Place : public TemporaryDirectory {
public:
    Place() {
        chmod(path().c_str(), 0777);
        chmod(file("text", "hello", 0666).c_str(), 0666);
    }
};

UniqueFd opened(const std::string& path, int flags = O_RDONLY) {
    UniqueFd file(open(path.c_str(), flags | O_CLOEXEC));
    CHECK(file);
    return file;
}

// What a script writes that is held to the policy.
std::string outcome(const std::string& script, const Policy& policy, const Bindings& bindings) {
    SpawnOptions options = shell(script);
    options.streams = {.input = Stdio::null(), .error = Stdio::same_as_output()};
    options.streams.output = Stdio::pipe();
    SyncedSpawner spawner(std::move(options));
    try {
        Sandbox(policy, bindings).add_to(spawner);
    } catch (const PolicyError& error) {
        return error.what();
    }
    Process process = spawner.spawn();
    std::string text = read_all(process.standard_output());
    process.wait();
    return text;
}

std::vector<std::string> problems_with(const Policy& policy, const Bindings& bindings) {
    std::vector<std::string> all;
    try {
        (void)Sandbox(policy, bindings);
    } catch (const PolicyError& error) {
        for (const Problem& problem : error.problems()) {
            all.push_back(problem.to_string());
        }
    }
    return all;
}

bool is_refused(const Policy& policy, const Bindings& bindings, const std::string& beginning) {
    const std::vector<std::string> problems = problems_with(policy, bindings);
    return std::any_of(problems.begin(), problems.end(),
                       [&](const std::string& problem) { return problem.starts_with(beginning); });
}

void skip_where_refused(const Policy& policy) {
    try {
        (void)Sandbox(policy);
    } catch (const PolicyError& error) {
        SKIP_TEST(error.what());
    }
}

}  // namespace

TEST_CASE("a named descriptor has its number in the program, and all others are closed") {
    skip_where_refused({});
    const Place place;
    const UniqueFd input = opened(place / "text");
    const UniqueFd other(fcntl(input.get(), F_DUPFD, 40));  // not close-on-exec
    const Policy policy{.descriptors = {{.name = "input", .number = 7}}};
    const Bindings bindings{.descriptors = {{"input", input.get()}}};
    const std::string number = std::to_string(other.get());
    CHECK(outcome("cat <&7; test -e /proc/self/fd/" + number + " || echo closed", policy,
                  bindings) == "helloclosed\n");
}

TEST_CASE("a named tree is at its path, read-only or writable, with nothing of what is around it") {
    skip_where_refused({});
    const Place place;
    const UniqueFd directory = opened(place.path(), O_PATH);
    const Policy policy{
        .trees = {{.name = "source", .path = "/tmp/source"},
                  {.name = "work", .path = "/tmp/a/work", .access = TreeAccess::writable},
                  {.name = "file", .path = "/tmp/file"}}};
    const UniqueFd file = opened(place / "text");
    const Bindings bindings{.descriptors = {{"source", directory.get()},
                                            {"work", directory.get()},
                                            {"file", file.get()}}};
    const std::string script =
        "cd /tmp; cat source/text file; touch source/x 2>/dev/null || echo read-only; "
        "touch a/work/made && ls source; ls /tmp; test -e " +
        place.path() + " || echo gone";
    CHECK(outcome(script, policy, bindings) ==
          "hellohelloread-only\nmade\ntext\na\nfile\nsource\ngone\n");
    CHECK(access((place / "made").c_str(), F_OK) == 0);
}

TEST_CASE("a tree may be all that the program sees beside what is named") {
    const Place place;
    const UniqueFd directory = opened(place.path());
    std::vector<std::string> system;
    for (const char* const path : {"/usr", "/bin", "/lib", "/lib64"}) {
        if (access(path, F_OK) == 0) {
            system.emplace_back(path);
        }
    }
    Policy policy{.files = {.tree = Tree::named_only, .read_only = system}};
    skip_where_refused(policy);
    policy.trees = {{.name = "work", .path = "/srv/deep/work"}};
    CHECK(outcome("cat /srv/deep/work/text; ls /srv/deep; test -e /etc || echo nothing else",
                  policy,
                  {.descriptors = {{"work", directory.get()}}}) == "hellowork\nnothing else\n");
}

TEST_CASE("whatever is wrong with names and bindings is told at once") {
    const Place place;
    const UniqueFd file = opened(place / "text");
    const UniqueFd directory = opened(place.path());
    const Policy policy{.files = {.writable = {"/usr"}},
                        .descriptors = {{.name = "unbound", .number = 3},
                                        {.name = "closed", .number = 4},
                                        {.name = "low", .number = 2},
                                        {.name = "same", .number = 4},
                                        {.name = "directory", .number = 5},
                                        {.name = "", .number = 6},
                                        {.name = "low", .number = 7}},
                        .trees = {{.name = "here", .path = "here"},
                                  {.name = "up", .path = "/tmp/../etc"},
                                  {.name = "root", .path = "/"},
                                  {.name = "tmp", .path = "/tmp"},
                                  {.name = "dev", .path = "/dev"},
                                  {.name = "covers", .path = "/usr"},
                                  {.name = "nowhere", .path = "/usr/does/not/exist"},
                                  {.name = "kind", .path = "/etc/passwd"},
                                  {.name = "first", .path = "/tmp/a"},
                                  {.name = "second", .path = "/tmp/a/b"}}};
    Bindings bindings{.descriptors = {{"closed", 1000},
                                      {"low", file.get()},
                                      {"same", file.get()},
                                      {"directory", directory.get()},
                                      {"unknown", file.get()}},
                      .terminal = file.get()};
    for (const NamedTree& tree : policy.trees) {
        bindings.descriptors[tree.name] = directory.get();
    }
    const std::vector<std::string> wanted{
        "descriptors 'unbound': is not bound",
        "descriptors 'closed': is bound to 1000, which is not open",
        "descriptors 'low': has the number 2",
        "descriptors 'same': has the number of another",
        "descriptors 'directory': is a directory, through which all files",
        "descriptors '': has no name",
        "descriptors 'low': is named twice",
        "trees 'here': has no absolute path",
        "trees 'up': has '..' in its path",
        "trees 'root': is to be the root",
        "trees 'tmp': is where the sandbox has files of its own",
        "trees 'dev': is where the sandbox has files of its own",
        "trees 'covers': would cover '/usr', which files names",
        "trees 'nowhere': has no place: there is no '/usr/does'",
        "trees 'kind': is a directory, and its place is none",
        "trees 'second': would lie in another tree",
        "bindings.descriptors 'unknown': is nothing that the policy names",
        "bindings.terminal: is no terminal"};
    const std::vector<std::string> problems = problems_with(policy, bindings);
    REQUIRE(problems.size() == wanted.size());
    for (std::size_t index = 0; index < wanted.size(); ++index) {
        CHECK(problems[index].substr(0, wanted[index].size()) == wanted[index]);
    }
}

TEST_CASE("no tree shows by another name what a rule is about") {
    const Place place;
    const UniqueFd directory = opened(place.path());
    const std::string text = place / "text";
    const Bindings bindings{.descriptors = {{"work", directory.get()}}};
    Policy policy{.trees = {{.name = "work", .path = "/tmp/work"}}};
    const std::string refusal =
        "trees 'work': would show '" + text + "', which has a rule, by another name";
    const auto is_shown = [&] { return !is_refused(policy, bindings, refusal); };
    policy.files = {.protected_paths = {text}};
    CHECK(is_shown());
    policy.files = {.hidden = {text}};
    CHECK(!is_shown());
    policy.trees.front().access = TreeAccess::writable;
    policy.files = {};
    CHECK(is_shown());
    policy.files = {.protected_paths = {text}};
    CHECK(!is_shown());
    policy.files = {.read_only = {text}};
    CHECK(!is_shown());
}

TEST_CASE("no writable tree has a symbolic link in it by which a protected path is reached") {
    const Place place;
    const UniqueFd directory = opened(place.path());
    REQUIRE(symlink("/etc", (place / "link").c_str()) == 0);
    const Bindings bindings{.descriptors = {{"work", directory.get()}}};
    Policy policy{.files = {.protected_paths = {place / "link/passwd"}},
                  .trees = {{.name = "work", .path = "/tmp/work"}}};
    CHECK(!is_refused(policy, bindings, "trees 'work'"));
    policy.trees.front().access = TreeAccess::writable;
    CHECK(is_refused(policy, bindings, "trees 'work': would show '" + (place / "link") + "'"));
}

TEST_CASE("no tree shows services of the host, wherever they listen, or processes outside") {
    const Place place;  // where the private tmp is, as may be
    const UniqueFd service = bound_socket(place / "service");
    REQUIRE(service);
    const UniqueFd directory = opened(place.path());
    Policy policy{.trees = {{.name = "work", .path = "/tmp/work"}}};
    Bindings bindings{.descriptors = {{"work", directory.get()}}};
    CHECK(is_refused(policy, bindings, "trees 'work': would show"));
    policy.files.read_only = {place / "service"};
    CHECK(!is_refused(policy, bindings, "trees 'work'"));
    policy.files.read_only.clear();
    policy.services = Services::host;
    CHECK(!is_refused(policy, bindings, "trees 'work'"));

    for (const char* const source : {"/", "/proc", "/proc/self"}) {
        const UniqueFd processes = opened(source);
        bindings.descriptors["work"] = processes.get();
        policy.files.private_tmp = false;
        policy.trees.front().path = "/dev/shm/work";
        policy.processes.isolated = true;
        CHECK(is_refused(policy, bindings, "trees 'work': would show processes outside"));
        policy.processes.isolated = false;
        CHECK(!is_refused(policy, bindings, "trees 'work'"));
    }
}

TEST_CASE("without mounts a tree is refused, whatever is accepted") {
    Machine machine = Machine::here();
    const Ability refused{.refusal = std::make_error_code(std::errc::operation_not_permitted),
                          .cause = "for the test"};
    machine.alone.mounts = refused;
    machine.in_user_namespace.mounts = refused;
    const Place place;
    const UniqueFd directory = opened(place.path());
    const Policy policy{.trees = {{.name = "work", .path = "/tmp/work"}},
                        .accept_weaker = {Guarantee::files, Guarantee::services,
                                          Guarantee::processes, Guarantee::network}};
    try {
        (void)Sandbox(policy, machine, {.descriptors = {{"work", directory.get()}}});
        FAIL_CHECK("it was not refused");
    } catch (const PolicyError& error) {
        CHECK(contains(error.what(), "files: cannot be held whole here: for the test"));
    }
}

TEST_CASE("descriptors and trees are read from a policy file, and an error says where") {
    const Policy policy = parse_policy(R"(
[[descriptors]]
name = "input"
number = 3
[[trees]]
name = "work"
path = "/work"
access = "writable"
)");
    CHECK(policy.descriptors == std::vector<NamedDescriptor>{{"input", 3}});
    CHECK(policy.trees == std::vector<NamedTree>{{"work", "/work", TreeAccess::writable}});
    CHECK(parse_policy(to_text(policy)) == policy);
    try {
        (void)parse_policy(
            "[[descriptors]]\nname = 'a'\n[[trees]]\nname = 'b'\npath = '/b'\naccess = 'all'\n",
            "a");
        FAIL_CHECK("it was not refused");
    } catch (const PolicyFileError& error) {
        CHECK(contains(error.what(), "a:1:1: descriptors.number: is missing"));
        CHECK(contains(error.what(), "a:6:10: trees.access"));
    }
}

TEST_CASE("in a sandbox the program's terminal has a name, and controls it") {
    skip_where_refused({});
    for (const bool ends_early : {false, true}) {
        Pty pty({.size = {.rows = 11, .columns = 22}});
        if (geteuid() == 0) {
            pty.give_to(65534, 65534);  // as whom root launches
        }
        SyncedSpawner spawner(
            {.program = "sh",
             .arguments = {"-i"},
             .environment =
                 Environment::current().set("TERM", "dumb").set("PS1", "$ ").unset("ENV")});
        Sandbox(Policy{}, {.terminal = pty.terminal()}).add_to(spawner);
        pty.add_to(spawner);
        Process program = spawner.spawn();
        pty.close_terminal();
        type(pty.master(),
             "echo tty=$(tty); stty size; echo a''b > /dev/tty; echo c''d > /dev/console\n");
        const std::string text = screen_until(pty.master(), "cd\r\n");
        CAPTURE(text);
        CHECK(contains(text, "tty=/dev/console\r\n"));
        CHECK(contains(text, "11 22\r\n"));
        CHECK(contains(text, "ab\r\n"));
        if (ends_early) {
            // An interactive shell would see the end of its input, too, or fail to give its terminal back.
            type(pty.master(), "exec sh -c 'echo e\"\"f; exec sleep 1000'\n");
            (void)screen_until(pty.master(), "ef\r\n");
            pty.take_master().reset();
            const ExitStatus status = program.wait();
            CAPTURE(status.to_string());
            CHECK(status == ExitStatus::killed(SIGHUP));
        } else {
            type(pty.master(), "exit 3\n");
            (void)screen_of(pty.master());
            CHECK(program.wait() == ExitStatus::exited(3));
        }
    }
}
