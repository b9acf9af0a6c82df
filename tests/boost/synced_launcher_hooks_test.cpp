#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include <syncspawn/boost/synced_launcher.hpp>

#include "support/boost.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

// When the hooks of an initializer run, on which side, and what they mean for the start of the child.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

enum HookBit : unsigned {
    setup = 1,
    exec_setup = 2,
    child_waiting = 4,
    success = 8,
    error = 16,
    fork_error = 32,
    exec_error = 64,
    all_hooks = 127,
};

// An initializer with these hooks and no others, which writes down each call.
template <unsigned Hooks>
struct Recorder {
    Log& log;
    const char* name;
    BoostError of_setup{};
    BoostError of_exec_setup{};
    BoostError of_child_waiting{};

    void record(const std::string& hook, const BoostError& why = {}) const {
        log.add(hook + "-" + name + (why ? "(" + told(why) + ")" : ""));
    }

    BoostError on_setup(Stock&, const Path&, const char* const*) requires((Hooks & setup) != 0) {
        record("setup", of_setup);
        return of_setup;
    }
    BoostError on_exec_setup(Stock&, const Path&,
                             const char* const*) requires((Hooks & exec_setup) != 0) {
        record("exec_setup", of_exec_setup);
        return of_exec_setup;
    }
    BoostError on_child_waiting(Stock& launcher, const Path&,
                                const char* const*) requires((Hooks & child_waiting) != 0) {
        CHECK(launcher.pid > 0);
        record("child_waiting", of_child_waiting);
        return of_child_waiting;
    }
    void on_success(Stock& launcher, const Path&,
                    const char* const*) requires((Hooks & success) != 0) {
        CHECK(launcher.pid > 0);
        record("success");
    }
    void on_error(Stock&, const Path&, const char* const*,
                  const BoostError& why) requires((Hooks & error) != 0) {
        record("error", why);
    }
    void on_fork_error(Stock&, const Path&, const char* const*,
                       const BoostError& why) requires((Hooks & fork_error) != 0) {
        record("fork_error", why);
    }
    void on_exec_error(Stock&, const Path&, const char* const*,
                       const BoostError& why) requires((Hooks & exec_error) != 0) {
        record("exec_error", why);
    }
};

enum class Way { to_success, to_failing_setup, to_failing_exec_setup, to_failing_execve };

// What is called in a launch with two such initializers.
template <unsigned Hooks, class Launcher>
std::string calls_of(Launcher launcher, Way way) {
    Log log;
    Recorder<Hooks> first{log, "a"};
    Recorder<Hooks> second{log, "b"};
    if (way == Way::to_failing_setup) {
        first.of_setup = own_error(1);
    } else if (way == Way::to_failing_exec_setup) {
        first.of_exec_setup = own_error(2);
    }
    const Path exe = way == Way::to_failing_execve ? "/nowhere" : "/bin/true";
    (void)end_of(launcher, exe, Texts{}, first, second);
    return log.text();
}

// What of these calls is left if only these hooks are there.
std::string only(unsigned hooks, const std::string& calls) {
    constexpr std::pair<unsigned, const char*> names[]{
        {setup, ":setup-"},
        {exec_setup, ":exec_setup-"},
        {child_waiting, ":child_waiting-"},
        {success, ":success-"},
        {error, ":error-"},
        {fork_error, ":fork_error-"},
        {exec_error, ":exec_error-"},
    };
    std::string left;
    for (std::size_t begin = 0; begin < calls.size();) {
        // A call ends with a blank, but "(own 1)" has one as well.
        std::size_t end = calls.find(' ', begin);
        if (calls.find('(', begin) < end) {
            end = calls.find(' ', calls.find(')', begin));
        }
        const std::string call = calls.substr(begin, end + 1 - begin);
        for (const auto& [bit, name] : names) {
            if ((hooks & bit) != 0 && call.find(name) != std::string::npos) {
                left += call;
            }
        }
        begin = end + 1;
    }
    return left;
}

constexpr const char* calls_to_success =
    "parent:setup-a parent:setup-b child:exec_setup-a child:exec_setup-b "
    "parent:child_waiting-a parent:child_waiting-b parent:success-a parent:success-b ";
constexpr const char* calls_to_failing_execve =
    "parent:setup-a parent:setup-b child:exec_setup-a child:exec_setup-b "
    "parent:child_waiting-a parent:child_waiting-b "
    "child:exec_error-a(system 2) child:exec_error-b(system 2) "
    "parent:error-a(system 2) parent:error-b(system 2) ";
constexpr const char* calls_to_failing_setup =
    "parent:setup-a(own 1) parent:error-a(own 1) parent:error-b(own 1) ";

template <unsigned Hooks>
void check_calls() {
    CAPTURE(Hooks);
    CHECK(calls_of<Hooks>(Ours(), Way::to_success) == only(Hooks, calls_to_success));
    CHECK(calls_of<Hooks>(Ours(), Way::to_failing_execve) == only(Hooks, calls_to_failing_execve));
    if ((Hooks & setup) != 0) {
        CHECK(calls_of<Hooks>(Ours(), Way::to_failing_setup) ==
              only(Hooks, calls_to_failing_setup));
    }
}

template <unsigned Hooks>
void check_same_calls() {
    CAPTURE(Hooks);
    for (const Way way : {Way::to_success, Way::to_failing_setup, Way::to_failing_execve}) {
        if (way != Way::to_failing_setup || (Hooks & setup) != 0) {
            CHECK(calls_of<Hooks>(Ours(), way) == calls_of<Hooks>(Stock(), way));
        }
    }
}

}  // namespace

TEST_CASE("hooks run in order, on their side, whichever of them an initializer has") {
    check_calls<0>();
    check_calls<setup>();
    check_calls<exec_setup>();
    check_calls<child_waiting>();
    check_calls<success>();
    check_calls<error>();
    check_calls<exec_error>();
    check_calls<setup | error>();
    check_calls<exec_setup | success>();
    check_calls<child_waiting | exec_error>();
    check_calls<all_hooks & ~setup>();
    check_calls<all_hooks & ~exec_setup>();
    check_calls<all_hooks & ~child_waiting>();
    check_calls<all_hooks & ~error>();
    check_calls<all_hooks & ~exec_error>();
    check_calls<all_hooks>();
}

TEST_CASE("the stock launcher calls the hooks that it has in the same order") {
    check_same_calls<0>();
    check_same_calls<setup>();
    check_same_calls<exec_setup>();
    check_same_calls<success>();
    check_same_calls<setup | exec_setup>();
    check_same_calls<setup | success>();
    check_same_calls<exec_setup | success>();
    check_same_calls<setup | exec_setup | success>();
}

TEST_CASE("a hook of the child that fails ends the hooks of the child") {
    CHECK(calls_of<all_hooks>(Ours(), Way::to_failing_exec_setup) ==
          "parent:setup-a parent:setup-b child:exec_setup-a(own 2) "
          "child:exec_error-a(own 2) child:exec_error-b(own 2) "
          "parent:error-a(own 2) parent:error-b(own 2) ");
}

TEST_CASE("a hook between the two sides that fails ends them") {
    Log log;
    Recorder<all_hooks> first{log, "a"};
    first.of_child_waiting = own_error(3);
    Recorder<all_hooks> second{log, "b"};
    Ours launcher;
    CHECK(end_of(launcher, "/bin/true", Texts{}, first, second) == "own 3");
    CHECK(log.text() ==
          "parent:setup-a parent:setup-b child:exec_setup-a child:exec_setup-b "
          "parent:child_waiting-a(own 3) parent:error-a(own 3) parent:error-b(own 3) ");
}

TEST_CASE("after a failed start on_fork_error runs, then on_error") {
    Log log;
    Peer peer([&] {
        Recorder<all_hooks> recorder{log, "a"};
        Ours launcher;
        asio::io_context context;
        refuse_system_calls({SYS_clone, SYS_clone3, SYS_fork, SYS_vfork}, EAGAIN);
        BoostError error;
        expect(!launcher(context, error, "/bin/true", {}, recorder).is_open());
        expect_same(told(error).c_str(), "system 11");
        expect(launcher.error().stage() == Stage::start);
    });
    CHECK(peer.ending() == reached_the_end);
    // A peer is nobody's parent to the log.
    CHECK(log.text() == "child:setup-a child:fork_error-a(system 11) child:error-a(system 11) ");
}

TEST_CASE("steps come before the hooks, and rendezvous and undo are as in the core") {
    Log log;
    Recorder<all_hooks> recorder{log, "a"};
    Ours launcher;
    launcher
        .step({.name = "one",
               .child = after_fork([&](ChildSide&) { log.add("one"); }),
               .parent =
                   [&](ParentSide& side) {
                       CHECK(side.child_pid() > 0);
                       log.add("one");
                   },
               .order = StepOrder::parent_first,
               .undo = [&](ParentSide&) { log.add("undo"); }})
        .rendezvous("both")
        .step({.name = "two",
               .child = after_fork([&](ChildSide&) { log.add("two"); }),
               .parent = [&](ParentSide&) { log.add("two"); },
               .order = StepOrder::child_first});
    const std::string begin =
        "parent:setup-a parent:one child:one child:two parent:two child:exec_setup-a "
        "parent:child_waiting-a";
    SUBCASE("in a launch that succeeds") {
        CHECK(end_of(launcher, "/bin/true", Texts{}, recorder) == "exit 0");
        // The child's hook may run before the parent's part of the step before.
        std::string calls = log.text();
        const std::string swapped = "child:exec_setup-a parent:two";
        if (const auto at = calls.find(swapped); at != std::string::npos) {
            calls.replace(at, swapped.size(), "parent:two child:exec_setup-a");
        }
        CHECK(calls == begin + " parent:success-a ");
    }
    SUBCASE("in a launch that fails") {
        recorder.of_child_waiting = own_error(3);
        CHECK(end_of(launcher, "/bin/true", Texts{}, recorder) == "own 3");
        CHECK(log.text().ends_with(
            "parent:child_waiting-a(own 3) parent:undo parent:error-a(own 3) "));
    }
}

TEST_CASE("a hook that throws in the parent is passed on, and leaves nothing behind") {
    struct ThrowsInSetup {
        BoostError on_setup(Ours& launcher, const Path&, const char* const*) {
            launcher.fd_whitelist.clear();
            throw std::runtime_error("thrown");
        }
    };
    struct ThrowsInSuccess {
        void on_success(Ours&, const Path&, const char* const*) {
            throw std::runtime_error("thrown");
        }
    };
    Ours launcher;
    asio::io_context context;
    const std::size_t before = count_children();
    CHECK_THROWS_WITH_AS(launcher(context, "/bin/true", {}, ThrowsInSetup()), "thrown",
                         std::runtime_error);
    CHECK_THROWS_WITH_AS(launcher(context, "/bin/sleep", {"1000"}, ThrowsInSuccess()), "thrown",
                         std::runtime_error);
    CHECK(count_children() == before);
    CHECK(launcher.fd_whitelist == std::vector<int>{0, 1, 2});
}

TEST_CASE("a hook that throws between fork and execve fails the launch") {
    struct ThrowsInExecSetup {
        BoostError on_exec_setup(Ours&, const Path&, const char* const*) {
            throw std::runtime_error("thrown there");
        }
    };
    struct ThrowsInWaiting {
        BoostError on_child_waiting(Ours&, const Path&, const char* const*) {
            throw std::runtime_error("thrown here");
        }
    };
    Ours launcher;
    CHECK(end_of(launcher, "/bin/true", Texts{}, ThrowsInExecSetup()) ==
          told(system_error_code(ECANCELED)));
    CHECK(std::string(launcher.error().what()) ==
          "initializers in the child: exception: thrown there");
    CHECK(end_of(launcher, "/bin/true", Texts{}, ThrowsInWaiting()) ==
          told(system_error_code(ECANCELED)));
    CHECK(std::string(launcher.error().what()) ==
          "initializers in the parent: exception: thrown here");
}

// How the child comes to be.

namespace {

struct WithoutToken {
    BoostError on_exec_setup(Stock&, const Path&, const char* const*) { return {}; }
};
struct WithoutTokenAndErrorHook {
    void on_exec_error(Stock&, const Path&, const char* const*, const BoostError&) {}
};
struct WithToken {
    static constexpr auto child_rules = ChildRules::shared_memory;
    BoostError on_exec_setup(Stock&, const Path&, const char* const*) { return {}; }
};
struct Specialized {
    BoostError on_exec_setup(Stock&, const Path&, const char* const*) { return {}; }
};
struct InParentOnly {
    BoostError on_setup(Stock&, const Path&, const char* const*) { return {}; }
    BoostError on_child_waiting(Stock&, const Path&, const char* const*) { return {}; }
    void on_success(Stock&, const Path&, const char* const*) {}
};

// Whether the child of a launch with these shares the parent's memory.
template <class... Initializers>
bool shares_memory(StartMethod start, Initializers&&... initializers) {
    std::atomic<bool> written{false};
    Ours launcher;
    launcher.options.birth.method = start;
    launcher.step({.name = "writes", .child = shared_memory([&](ChildSide&) { written = true; })});
    CHECK(end_of(launcher, "/bin/true", Texts{}, initializers...) == "exit 0");
    return written;
}

}  // namespace

template <>
inline constexpr ChildRules syncspawn::for_boost::child_rules_of<Specialized> =
    ChildRules::shared_memory;

TEST_CASE("the child shares memory if all hooks of the child may") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    const UniqueFd fd(dup(2));
    for (const StartMethod start : {StartMethod::automatic, StartMethod::shared_memory}) {
        CHECK(shares_memory(start));
        CHECK(shares_memory(start, v2::process_stdio{nullptr, {}, {}}));
        CHECK(shares_memory(start, v2::process_start_dir("/")));
        CHECK(shares_memory(start, v2::posix::bind_fd(20, fd.get())));
        CHECK(shares_memory(start, WithToken()));
        CHECK(shares_memory(start, Specialized()));
        CHECK(shares_memory(start, InParentOnly()));
    }
    CHECK_FALSE(shares_memory(StartMethod::automatic, WithoutToken()));
    CHECK_FALSE(shares_memory(StartMethod::automatic, WithoutTokenAndErrorHook()));
    CHECK_FALSE(shares_memory(StartMethod::automatic, WithToken(), WithoutToken()));
    CHECK_FALSE(shares_memory(StartMethod::copied_memory, WithToken()));
}

TEST_CASE("a hook that may not is refused where the options ask for more") {
    Ours launcher;
    asio::io_context context;
    launcher.options.birth.method = StartMethod::shared_memory;
    CHECK_THROWS_AS(launcher(context, "/bin/true", {}, WithoutToken()), std::invalid_argument);
    BoostError error;
    CHECK_THROWS_AS(launcher(context, error, "/bin/true", {}, WithoutTokenAndErrorHook()),
                    std::invalid_argument);
    launcher.options.birth.method = StartMethod::automatic;
    launcher.options.birth.namespaces = Namespaces::uts;
    CHECK_THROWS_AS(launcher(context, "/bin/true", {}, WithoutToken()), std::invalid_argument);
}

TEST_CASE("with namespaces at birth the stock initializers work as ever") {
    Ours launcher;
    const std::string print = "readlink /proc/self/ns/uts";
    const std::string own = run_shell(launcher, print);
    launcher.options.birth.namespaces = Namespaces::user | Namespaces::uts;
    const std::string other = run_shell(launcher, print, v2::process_start_dir("/"));
    if (other == told(system_error_code(EPERM)) || other == told(system_error_code(ENOSPC))) {
        SKIP_TEST("this machine forbids new namespaces");
    }
    CHECK(other.starts_with("exit 0: uts:"));
    CHECK(other != own);
}

TEST_CASE("options that can never work reach on_error before they are thrown") {
    Log log;
    Ours launcher;
    asio::io_context context;
    launcher.options.birth.namespaces = Namespaces::uts;
    Recorder<setup | exec_setup | error> recorder{log, "a"};
    BoostError failure;
    CHECK_THROWS_AS(launcher(context, failure, "/bin/true", {}, recorder), std::invalid_argument);
    CHECK(log.text() == "parent:setup-a parent:error-a(system 22) ");
}

TEST_CASE("a hook's own code is not lost by an error hook that throws") {
    struct Throws {
        void on_exec_error(Stock&, const Path&, const char* const*, const BoostError&) {
            throw std::runtime_error("in vain");
        }
    };
    Log log;
    Recorder<exec_setup> recorder{log, "a"};
    recorder.of_exec_setup = own_error(9);
    Ours launcher;
    CHECK(end_of(launcher, "/bin/true", Texts{}, recorder, Throws()) == "own 9");
}
