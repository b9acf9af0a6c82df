#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include <syncspawn/boost/synced_launcher.hpp>

#include "support/boost.hpp"

// Which descriptors a program gets, and that none is left in the parent.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// The descriptors of a program.
template <class Launcher, class... Initializers>
std::string descriptors_of_program(Launcher& launcher, Initializers&&... initializers) {
    return run(launcher, helper("launch_descriptors"), Texts{}, initializers...);
}

// A descriptor of /dev/null with this number, which must be free; without the close-on-exec flag.
UniqueFd null_as(int number) {
    const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (is_open(number) || dup2(null.get(), number) != number) {
        throw std::system_error(EBUSY, std::generic_category(), "descriptor");
    }
    return UniqueFd(number);
}

// Puts numbers into the whitelist, and with `fills` into the child, too.
struct Whitelists {
    std::vector<int> numbers;
    bool fills = false;

    BoostError on_setup(Stock& launcher, const Path&, const char* const*) {
        launcher.fd_whitelist.insert(launcher.fd_whitelist.end(), numbers.begin(), numbers.end());
        return {};
    }
    BoostError on_exec_setup(Stock&, const Path&, const char* const*) {
        for (const int number : numbers) {
            if (fills && dup2(2, number) < 0) {
                return system_error_code(errno);
            }
        }
        return {};
    }
};

struct WhitelistsWithToken : Whitelists {
    static constexpr auto child_rules = ChildRules::shared_memory;
};

std::vector<int> range(int first, int last) {
    std::vector<int> numbers;
    for (int number = first; number <= last; ++number) {
        numbers.push_back(number);
    }
    return numbers;
}

std::string listed(const std::vector<int>& numbers) {
    std::string text;
    for (const int number : numbers) {
        text += std::to_string(number) + " ";
    }
    return text;
}

// Fails on one side or the other.
struct Fails {
    enum class Where { nowhere, setup, child, between } where = Where::nowhere;

    BoostError on_setup(Stock&, const Path&, const char* const*) const { return at(Where::setup); }
    BoostError on_exec_setup(Stock&, const Path&, const char* const*) const {
        return at(Where::child);
    }
    BoostError on_child_waiting(Stock&, const Path&, const char* const*) const {
        return at(Where::between);
    }
    BoostError at(Where here) const { return here == where ? own_error(1) : BoostError(); }
};

// 200 times, with nothing left of descriptors and children.
void check_nothing_is_left(const std::function<std::string()>& launch,
                           const std::string& expected) {
    CHECK(launch() == expected);  // whatever is kept for later launches
    const auto descriptors = open_descriptors();
    const auto children = count_children();
    int as_expected = 0;
    for (int round = 0; round < 200; ++round) {
        as_expected += launch() == expected ? 1 : 0;
    }
    CHECK(as_expected == 200);
    CHECK(open_descriptors() == descriptors);
    CHECK(count_children() == children);
}

}  // namespace

TEST_CASE("no launch leaves a descriptor or a child, however it ends") {
    using Where = Fails::Where;
    Ours launcher;
    const auto ends = [&](const char* exe, Fails::Where where) {
        return [=, &launcher] { return end_of(launcher, exe, Texts{}, Fails{where}); };
    };
    SUBCASE("well") { check_nothing_is_left(ends("/bin/true", Where::nowhere), "exit 0"); }
    SUBCASE("with a failed on_setup") {
        check_nothing_is_left(ends("/bin/true", Where::setup), "own 1");
    }
    SUBCASE("with a failed on_exec_setup") {
        check_nothing_is_left(ends("/bin/true", Where::child), "own 1");
    }
    SUBCASE("with a failed on_child_waiting") {
        check_nothing_is_left(ends("/bin/true", Where::between), "own 1");
    }
    SUBCASE("with a failed execve") {
        check_nothing_is_left(ends("/nowhere", Where::nowhere), "system 2");
    }
    SUBCASE("with a failed execve of a child that shares memory") {
        check_nothing_is_left(
            [&] {
                return end_of(launcher, "/nowhere", Texts{}, v2::process_stdio{nullptr, {}, {}});
            },
            "system 2");
    }
    SUBCASE("with a barrier handed over, taken or not") {
        launcher.options.readiness.hand_over = HandOver::barrier;
        bool takes = false;
        check_nothing_is_left(
            [&] {
                asio::io_context context;
                auto process = launcher(context, "/bin/true", {});
                takes = !takes;
                if (takes) {
                    (void)launcher.take_barrier(context);
                } else {
                    BoostError error;
                    (void)launcher(context, error, "/nowhere", {});
                }
                return "exit " + std::to_string(process.wait());
            },
            "exit 0");
    }
    SUBCASE("with pipes of the stock library") {
        check_nothing_is_left([&] { return run_shell(launcher, "cat; echo text"); },
                              "exit 0: text\n");
    }
}

TEST_CASE("a process that is destroyed is killed and reaped") {
    Ours launcher;
    asio::io_context context;
    pid_t pid = -1;
    {
        const auto process = launcher(context, "/bin/sleep", {"1000"});
        pid = process.id();
        CHECK(state_of(pid) != '\0');
    }
    CHECK(state_of(pid) == '\0');
    CHECK(count_children() == 0);
}

TEST_CASE("a program gets the descriptors of the whitelist and no others") {
    const UniqueFd low = null_as(50);
    const UniqueFd next = null_as(51);
    const UniqueFd middle = null_as(90);
    const UniqueFd high = null_as(200);
    Ours launcher;
    SUBCASE("the streams, by default") {
        CHECK(descriptors_of_program(launcher) == "exit 0: 0 1 2 ");
    }
    SUBCASE("one far above others that it does not get") {
        launcher.fd_whitelist.push_back(200);
        CHECK(descriptors_of_program(launcher) == "exit 0: 0 1 2 200 ");
    }
    SUBCASE("in whatever order, and named more than once") {
        launcher.fd_whitelist = {200, 2, 50, 1, 0, 200, 51};
        CHECK(descriptors_of_program(launcher) == "exit 0: 0 1 2 50 51 200 ");
    }
    SUBCASE("none that is not open in the parent") {
        launcher.fd_whitelist = {0, 1, 2, 49, 50, 52, 199, 201, 5000};
        CHECK(descriptors_of_program(launcher) == "exit 0: 0 1 2 50 ");
    }
    SUBCASE("with the initializers of the library, which have it shared") {
        CHECK(descriptors_of_program(launcher, v2::process_start_dir("/"),
                                     v2::posix::bind_fd(60, 50)) == "exit 0: 0 1 2 60 ");
    }
    SUBCASE("with a hook that needs a copy") {
        CHECK(descriptors_of_program(launcher, Whitelists{{90}}) == "exit 0: 0 1 2 90 ");
    }
}

TEST_CASE(
    "a descriptor of the whitelist keeps its close-on-exec flag, as with the stock launcher") {
    const UniqueFd low = null_as(50);
    const UniqueFd high = null_as(51);
    REQUIRE(fcntl(50, F_SETFD, FD_CLOEXEC) == 0);
    const auto has = [](const std::string& descriptors, const char* number) {
        return descriptors.find(number) != std::string::npos;
    };
    const auto descriptors = [](auto launcher) {
        launcher.fd_whitelist.push_back(50);
        launcher.fd_whitelist.push_back(51);
        return descriptors_of_program(launcher);
    };
    const std::string expected = descriptors(Stock());
    const std::string actual = descriptors(Ours());
    CHECK(actual == "exit 0: 0 1 2 51 ");
    CHECK(has(expected, " 50 ") == has(actual, " 50 "));
    CHECK(has(expected, " 51 ") == has(actual, " 51 "));
    CHECK(is_close_on_exec(50));
    CHECK_FALSE(is_close_on_exec(51));
}

TEST_CASE("a stream that is taken out of the whitelist is closed in the program") {
    Ours launcher;
    launcher.fd_whitelist = {1, 2};
    CHECK(descriptors_of_program(launcher) == "exit 0: 1 2 ");
    CHECK(is_open(0));
    CHECK_FALSE(is_close_on_exec(0));
    launcher.fd_whitelist = {1};
    CHECK(descriptors_of_program(launcher, v2::process_start_dir("/")) == "exit 0: 1 ");
    launcher.fd_whitelist.clear();
    CHECK(run(launcher, helper("launch_descriptors"), Texts{}) == "exit 0: ");
    CHECK(both([](auto& either) {
              either.fd_whitelist.clear();
              return run(either, "/bin/true", Texts{});
          }) == "exit 0: ");
}

TEST_CASE("a hook of the child fills any number that it has put into the whitelist") {
    Ours launcher;
    const auto numbers = range(3, 30);
    const std::string expected = "exit 0: 0 1 2 " + listed(numbers);
    for (int round = 0; round < 3; ++round) {
        CHECK(descriptors_of_program(launcher, Whitelists{numbers, true}) == expected);
        CHECK(descriptors_of_program(launcher, WhitelistsWithToken{{numbers, true}}) == expected);
    }
    // The launch goes on with what it needs: its errors still arrive, and its rendezvous hold.
    CHECK(end_of(launcher, "/nowhere", Texts{}, Whitelists{numbers, true}) == "system 2");
    launcher.rendezvous("first").step({.name = "a", .parent = [](ParentSide&) {}}).rendezvous("b");
    CHECK(end_of(launcher, "/nowhere", Texts{}, WhitelistsWithToken{{numbers, true}}) ==
          "system 2");
    CHECK(descriptors_of_program(launcher, Whitelists{numbers, true}) == expected);
    launcher.options.birth.namespaces = Namespaces::none;
    launcher.options.ending.die_with_parent = true;
    CHECK(descriptors_of_program(launcher, Whitelists{numbers, true}) == expected);
}

TEST_CASE("a hook of the child sees all of the parent's descriptors") {
    const UniqueFd fd = null_as(50);
    REQUIRE(fcntl(50, F_SETFD, FD_CLOEXEC) == 0);
    struct Looks {
        BoostError on_exec_setup(Stock& launcher, const Path&, const char* const*) {
            const int copy = fcntl(50, F_DUPFD, 70);
            if (copy != 70) {
                return system_error_code(errno);
            }
            launcher.fd_whitelist.push_back(copy);
            return {};
        }
    };
    Ours launcher;
    CHECK(descriptors_of_program(launcher, Looks()) == "exit 0: 0 1 2 70 ");
}

TEST_CASE("the highest number that a process may have can be in the whitelist") {
    Peer peer([] {
        rlimit limit{};
        expect(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        limit.rlim_cur = 256;
        expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        const UniqueFd highest = null_as(255);
        const auto has_highest = [](auto launcher) {
            launcher.fd_whitelist.push_back(255);
            return descriptors_of_program(launcher).ends_with(" 255 ");
        };
        expect(has_highest(Stock()));
        expect(has_highest(Ours()));
    });
    CHECK(peer.ending() == reached_the_end);
}
