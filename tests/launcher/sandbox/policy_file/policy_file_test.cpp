#include <syncspawn/sandbox/policy_file.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <system_error>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"

// What a policy file says, and what is wrong with one.

using namespace syncspawn::sandbox;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

std::string complaint_about(const std::string& text) {
    try {
        (void)parse_policy(text, "a");
    } catch (const PolicyFileError& error) {
        return error.what();
    }
    return "none";
}

}  // namespace

TEST_CASE("every key of a policy file is a member of the policy") {
    const Policy policy = parse_policy(R"(
network = "loopback"
services = "host"
host_name = "box"
accept_weaker = ["network", "system calls"]
[files]
tree = "named_only"
writable = ["/src", "/build"]
read_only = ["/src/vendor"]
protected_paths = ["/src/.git"]
hidden = ["/home/me/.ssh"]
private_tmp = false
device_tree = false
[processes]
isolated = false
reaper = false
die_with_parent = false
outlive = true
[limits]
memory = "2G"
memory_high = "1G"
swap = 0
processes = 256
cpus = 1.5
cpu_weight = 50
io_weight = 200
allowed_cpus = [0, 1]
nice = -5
scheduling = "batch"
open_files = 1024
file_size = 1000000
core_size = "unlimited"
cpu_time = "10min"
wall_clock = "1h 30min"
[privileges]
capabilities = ["CAP_NET_RAW"]
user = 1
group = 2
host_user = 3
host_group = 4
no_new_privileges = false
nested_user_namespaces = true
new_session_keyring = false
[system_calls]
default_deny_set = false
denied = ["ptrace"]
allowed = ["keyctl"]
[[doors]]
name = "proxy"
address = "127.0.0.1:3128"
[[doors]]
name = "log"
address = "/run/log"
backlog = 5
)");
    const Policy expected{
        .files = {.tree = Tree::named_only,
                  .writable = {"/src", "/build"},
                  .read_only = {"/src/vendor"},
                  .protected_paths = {"/src/.git"},
                  .hidden = {"/home/me/.ssh"},
                  .private_tmp = false,
                  .device_tree = false},
        .network = Network::loopback,
        .doors = {{"proxy", "127.0.0.1:3128"}, {"log", "/run/log", 5}},
        .services = Services::host,
        .processes = {.isolated = false,
                      .reaper = false,
                      .die_with_parent = false,
                      .outlive = true},
        .limits = {.memory = 2147483648,
                   .memory_high = 1073741824,
                   .swap = 0,
                   .processes = 256,
                   .cpus = 1.5,
                   .cpu_weight = 50,
                   .io_weight = 200,
                   .allowed_cpus = {0, 1},
                   .nice = -5,
                   .scheduling = Scheduling::batch,
                   .open_files = 1024,
                   .file_size = 1000000,
                   .core_size = std::nullopt,
                   .cpu_time = 600s,
                   .wall_clock = 90min},
        .privileges = {.capabilities = {"CAP_NET_RAW"},
                       .user = 1,
                       .group = 2,
                       .host_user = 3,
                       .host_group = 4,
                       .no_new_privileges = false,
                       .nested_user_namespaces = true,
                       .new_session_keyring = false},
        .system_calls = {.default_deny_set = false, .denied = {"ptrace"}, .allowed = {"keyctl"}},
        .host_name = "box",
        .accept_weaker = {Guarantee::network, Guarantee::system_calls}};
    CHECK(policy == expected);
    CHECK(parse_policy(to_text(policy)) == policy);
}

TEST_CASE("an empty file is the strict policy, and the text of that is empty") {
    CHECK(parse_policy("") == Policy{});
    CHECK(parse_policy("# all as it is\n[files]\n") == Policy{});
    CHECK(to_text(Policy{}).empty());
}

TEST_CASE("the text of a policy is what differs from the strict one, in a fixed order") {
    CHECK(to_text({.files = {.writable = {"/src"}, .hidden = {"/b", "/a \"\n\x7f"}},
                   .doors = {{"proxy", "[::1]:3128"}},
                   .limits = {.memory = 3U << 20U,
                              .processes = std::numeric_limits<std::uint64_t>::max(),
                              .cpus = 2,
                              .file_size = 2'000'000'000,
                              .core_size = std::nullopt,
                              .wall_clock = 1500ms},
                   .host_name = "box"}) ==
          R"(host_name = "box"

[files]
writable = ["/src"]
hidden = [
    "/b",
    "/a \"\n\u007f",
]

[limits]
memory = "3M"
processes = "18446744073709551615"
cpus = 2.0
file_size = 2000000000
core_size = "unlimited"
wall_clock = "1500ms"

[[doors]]
name = "proxy"
address = "[::1]:3128"
)");
}

TEST_CASE("a string that no TOML can have is refused, and not written in another form") {
    CHECK_THROWS_AS((void)to_text({.host_name = "\xff"}), std::invalid_argument);
    CHECK_THROWS_AS((void)to_text({.files = {.hidden = {std::string("a\0b", 3)}}}),
                    std::invalid_argument);
    CHECK(complaint_about("host_name = \"a\\u0000b\"") ==
          "a:1:13: host_name: contains a NUL, which the kernel would take for its end");
}

TEST_CASE("an unknown key is refused, with the key that was meant") {
    CHECK(complaint_about("[files]\nwriteable = [\"/src\"]") ==
          "a:2:1: files.writeable: there is no such key; do you mean 'writable'?");
    CHECK(complaint_about("[file]\nhidden = [\"/src\"]") ==
          "a:1:2: file: there is no such key; do you mean 'files'?");
    CHECK(complaint_about("[files]\nprotected = []") ==
          "a:2:1: files.protected: there is no such key; do you mean 'protected_paths'?");
    CHECK(complaint_about("memory = \"2G\"") ==
          "a:1:1: memory: there is no such key; it belongs in [limits]");
    CHECK(complaint_about("[limits]\nnetwork = \"none\"") ==
          "a:2:1: limits.network: there is no such key; it belongs above the first table");
    CHECK(complaint_about("[processes]\nxyzzy = 1") ==
          "a:2:1: processes.xyzzy: there is no such key; here are: isolated, reaper, "
          "die_with_parent, outlive");
    CHECK(complaint_about("[[doors]]\nname = \"\"\naddress = \"\"\nport = 1") ==
          "a:4:1: doors.port: there is no such key; here are: name, address, backlog");
}

TEST_CASE("a value of the wrong type is refused, with what would be right") {
    CHECK(complaint_about("network = true") ==
          "a:1:11: network: is true or false; say one of \"none\", \"loopback\", \"host\"");
    CHECK(complaint_about("network = \"lopback\"") ==
          "a:1:11: network: is 'lopback'; do you mean 'loopback'?");
    CHECK(complaint_about("accept_weaker = [\"files\", \"system\"]") ==
          "a:1:27: accept_weaker: is 'system'; do you mean 'system calls'?");
    CHECK(complaint_about("files = 3") == "a:1:9: files: is a whole number; say a table, [files]");
    CHECK(complaint_about("[doors]\nname = \"a\"") ==
          "a:1:1: doors: is a table; say a table, [[doors]]");
    CHECK(complaint_about("files.writable = \"/src\"") ==
          "a:1:18: files.writable: is a string; say a list: [\"...\", \"...\"]");
    CHECK(complaint_about("files.writable = [3]") ==
          "a:1:19: files.writable: is 3; say a string, in quotes");
    CHECK(complaint_about("files.private_tmp = \"true\"") ==
          "a:1:21: files.private_tmp: is 'true'; say true or false, without quotes");
    CHECK(complaint_about("privileges.user = \"root\"") ==
          "a:1:19: privileges.user: is 'root'; say the number of an id, up to 4294967295");
    CHECK(complaint_about("privileges.user = 4294967296") ==
          "a:1:19: privileges.user: is 4294967296; say the number of an id, up to 4294967295");
    CHECK(complaint_about("[[doors]]\nname = \"a\"") == "a:1:1: doors.address: is missing");
    CHECK(complaint_about("[[doors]]\nname = \"a\"\naddress = \"\"\nbacklog = 3000000000") ==
          "a:4:11: doors.backlog: is 3000000000; say a whole number");
}

TEST_CASE("a size is a number or has a unit, a count is whole, and a duration has units") {
    const auto memory = [](const std::string& value) {
        return parse_policy("limits.memory = " + value).limits.memory;
    };
    CHECK(memory("\"512K\"") == 524288);
    CHECK(memory("\"1TiB\"") == 1099511627776);
    CHECK(memory("\"77\"") == 77);
    CHECK(memory("\"unlimited\"") == std::nullopt);
    for (const char* const wrong : {"\"2GB\"", "\"G\"", "\"1.5G\"", "\"-1\"", "\" 1\"", "\"\"",
                                    "-1", "1.0", "\"16777216T\"", "\"18446744073709551616\""}) {
        CAPTURE(wrong);
        CHECK(complaint_about("limits.memory = " + std::string(wrong))
                  .ends_with("; say a number of bytes, or \"2G\""));
    }
    CHECK(complaint_about("limits.processes = \"2K\"") ==
          "a:1:20: limits.processes: is '2K'; say a whole number, not negative");

    const auto wall_clock = [](const std::string& value) {
        return parse_policy("limits.wall_clock = \"" + value + "\"").limits.wall_clock;
    };
    CHECK(wall_clock("1d2h3min 4s 5ms6us7ns") == 26h + 3min + 4s + 5ms + 6us + 7ns);
    CHECK(wall_clock("9223372036854775807ns") == std::chrono::nanoseconds::max());
    for (const char* const wrong : {"\"10\"", "10", "\"10m\"", "\"\"", "\"s\"", "\"1s,2s\"",
                                    "\"9223372036854775808ns\"", "\"300000d\""}) {
        CAPTURE(wrong);
        CHECK(complaint_about("limits.wall_clock = " + std::string(wrong))
                  .ends_with("; say a duration: \"10min\", \"1h 30min\", \"250ms\""));
    }
    CHECK(complaint_about("limits.cpu_time = \"1500ms\"") ==
          "a:1:19: limits.cpu_time: is '1500ms'; say a duration in whole seconds: \"90s\", "
          "\"10min\"");
    CHECK(parse_policy("limits.cpu_time = \"2000ms\"").limits.cpu_time == 2s);
}

TEST_CASE("all problems of a file are found at once, in the order of its lines") {
    try {
        (void)parse_policy("[limits]\nmemory = \"lots\"\n[files]\nzzz = 1\naaa\t=\t2\n", "b");
        FAIL("that is no policy");
    } catch (const PolicyFileError& error) {
        REQUIRE(error.problems().size() == 3);
        CHECK(error.problems()[0].key == "limits.memory");
        CHECK(error.problems()[1].line == 4);
        CHECK(error.problems()[2] ==
              PolicyFileProblem{5, 1, "files.aaa",
                                "there is no such key; here are: tree, writable, read_only, "
                                "protected_paths, hidden, private_tmp, device_tree"});
    }
}

TEST_CASE("what is no TOML is refused, with its place") {
    CHECK(complaint_about("[files]\nwritable = [\"/src\"\n").starts_with("a:2:"));
    // What toml++ itself takes for impossible.
    CHECK(complaint_about("[=]").starts_with("a:1:"));
    CHECK(complaint_about("[\xc3\xa4]").starts_with("a:1:"));
    CHECK(complaint_about("\xc3\xa4 = 1").starts_with("a:1:"));
    CHECK(complaint_about("host_name = \"a\"\nhost_name = \"b\"").starts_with("a:2:"));
    CHECK(complaint_about("host_name = \"\xff\"").starts_with("a:1:"));
}

TEST_CASE("an error shows no control characters of the file, and not all of a long value") {
    CHECK(complaint_about("network = \"\\u001b[2J\"").find('\x1b') == std::string::npos);
    CHECK(complaint_about("network = \"" + std::string(10000, 'x') + "\"").size() < 200);
}

TEST_CASE("a file is read, a pipe as well") {
    const NothingIsLeft check;
    const TemporaryDirectory directory;
    CHECK(read_policy_file(directory.file("p", "host_name = \"a\"", 0600)).host_name == "a");

    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    REQUIRE(write(ends[1], "host_name = \"b\"", 15) == 15);
    close(ends[1]);
    CHECK(read_policy_file("/proc/self/fd/" + std::to_string(ends[0])).host_name == "b");
    close(ends[0]);
}

TEST_CASE("a file that cannot be read is an error of the system") {
    const TemporaryDirectory directory;
    CHECK_THROWS_AS((void)read_policy_file(directory / "none"), std::system_error);
    CHECK_THROWS_AS((void)read_policy_file(directory.path()), std::system_error);
}

TEST_CASE("no more than 1 MiB of a file is read") {
    CHECK_THROWS_WITH_AS((void)read_policy_file("/dev/zero"),
                         "/dev/zero:1:1: is longer than any policy: 1 MiB is the limit",
                         PolicyFileError);
    const std::string longest = "#" + std::string(longest_policy - 1, 'x');
    CHECK(parse_policy(longest) == Policy{});
    CHECK(complaint_about(longest + "x") == "a:1:1: is longer than any policy: 1 MiB is the limit");
}
