#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/version.hpp>
#include <cerrno>
#include <system_error>

#include <syncspawn/boost.hpp>

#include "support/boost.hpp"
#include "support/namespaces.hpp"
#include "support/sanitizers.hpp"
#include "support/shared.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

// What the launchers of the stock library do wrong, done right. Where it is cheap and certain, the
// stock library is shown to do it wrong, so that a test says something.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

constexpr bool is_oldest_boost = BOOST_VERSION < 108200;

struct Pipe {
    Pipe() {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0) {
            throw std::system_error(errno, std::generic_category(), "pipe2");
        }
        read_end.reset(ends[0]);
        write_end.reset(ends[1]);
    }
    UniqueFd read_end;
    UniqueFd write_end;
};

bool write_file(const std::string& path, const std::string& text) {
    const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    return write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// Fails in the child, with what the hook returns and errno as it leaves it.
struct FailsInChild {
    BoostError error;
    int left_in_errno = 0;

    BoostError on_exec_setup(Stock&, const Path&, const char* const*) const {
        errno = left_in_errno;
        return error;
    }
};

class Std : public std::error_category {
public:
    const char* name() const noexcept override { return "own std"; }
    std::string message(int value) const override {
        return "own std error " + std::to_string(value);
    }
};
const Std own_std_category;

// A category by which 0 is a failure, too.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): that of Boost has none
class ZeroFails final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "zero fails"; }
    std::string message(int) const override { return "failed"; }
    bool failed(int) const noexcept override { return true; }
};
#pragma GCC diagnostic pop
const ZeroFails zero_fails;

template <class... Initializers>
BoostError error_of(Ours& launcher, const Path& exe, Initializers&&... initializers) {
    asio::io_context context;
    BoostError error;
    (void)launcher(context, error, exe, Texts{}, initializers...);
    return error;
}

}  // namespace

// One side that needs the other, between fork and execve.

namespace {

struct MapsUser {
    static constexpr auto child_rules = ChildRules::async_signal_safe;
    BoostError on_exec_setup(Stock&, const Path&, const char* const*) {
        return system_error_code(unshare(CLONE_NEWUSER) < 0 ? errno : 0);
    }
    BoostError on_child_waiting(Stock& launcher, const Path&, const char* const*) {
        const std::string map = "42 " + std::to_string(getuid()) + " 1";
        const bool is_written =
            write_file("/proc/" + std::to_string(launcher.pid) + "/uid_map", map);
        return system_error_code(is_written ? 0 : errno);
    }
};

}  // namespace

TEST_CASE("a hook of the parent works on the child after all that the child has set up") {
    if (syncspawn::detail::is_thread_sanitized()) {
        SKIP_TEST("the sanitizer's own thread forbids unshare(CLONE_NEWUSER)");
    }
    Peer peer = peer_in_namespaces(CLONE_NEWUSER, [] {});
    CHECK_REACHED_THE_END_OR_SKIP(peer);
    Ours launcher;
    CHECK(run(launcher, "/usr/bin/id", Texts{"-u"}, MapsUser()) == "exit 0: 42\n");
}

// The program reads what the parent wrote after it had read what the child wrote.
TEST_CASE("the sides wait for each other, in both directions") {
    Pipe to_parent;
    Pipe to_program;
    struct Talks {
        Pipe& to_parent;
        Pipe& to_program;
        BoostError on_exec_setup(Stock&, const Path&, const char* const*) const {
            return system_error_code(write(to_parent.write_end.get(), "x", 1) == 1 ? 0 : errno);
        }
        BoostError on_child_waiting(Stock&, const Path&, const char* const*) {
            char text = '\0';
            if (read(to_parent.read_end.get(), &text, 1) != 1) {
                return system_error_code(EIO);
            }
            CHECK(write(to_program.write_end.get(), &text, 1) == 1);
            to_program.write_end.reset();
            return {};
        }
    };
    Ours launcher;
    asio::io_context context;
    asio::readable_pipe output(context);
    SUBCASE("by a hook") {
        auto process = launcher(context, "/bin/cat", {}, Talks{to_parent, to_program},
                                v2::process_stdio{to_program.read_end.get(), output, {}});
        CHECK(read_all(output.native_handle()) == "x");
        CHECK(process.wait() == 0);
    }
    SUBCASE("by steps, the child's part after the parent's") {
        char seen = '\0';
        launcher.step({.name = "asks", .child = after_fork([&](ChildSide& side) {
                                           return write(to_parent.write_end.get(), "x", 1) == 1
                                                      ? side.done()
                                                      : side.fail("write");
                                       })});
        launcher.step({.name = "is answered",
                       .child = after_fork([&](ChildSide& side) {
                           return read(to_program.read_end.get(), &seen, 1) == 1 && seen == 'y'
                                      ? side.done()
                                      : side.fail(EIO, "read");
                       }),
                       .parent =
                           [&](ParentSide& side) {
                               return read(to_parent.read_end.get(), &seen, 1) == 1 &&
                                              write(to_program.write_end.get(), "y", 1) == 1
                                          ? side.done()
                                          : side.fail(EIO, "read");
                           },
                       .order = StepOrder::parent_first});
        CHECK(end_of(launcher, "/bin/true", Texts{}, v2::process_start_dir("/")) == "exit 0");
    }
}

TEST_CASE("if the parent's hook fails the program never runs, and the hook's error is told") {
    const TemporaryDirectory directory;
    const std::string mark = directory / "mark";
    struct Fails {
        pid_t& pid;
        BoostError on_child_waiting(Stock& launcher, const Path&, const char* const*) {
            pid = launcher.pid;
            CHECK(state_of(pid) != '\0');
            return own_error(7);
        }
    };
    pid_t pid = -1;
    Ours launcher;
    CHECK(run_shell(launcher, "echo >" + mark, Fails{pid}) == "own 7");
    CHECK(state_of(pid) == '\0');
    CHECK(access(mark.c_str(), F_OK) < 0);
    CHECK(count_children() == 0);
    CHECK_FALSE(launcher.error().program_may_have_run());
    CHECK(run_shell(launcher, "echo >" + mark) == "exit 0: ");
    CHECK(access(mark.c_str(), F_OK) == 0);
}

// Errors.

TEST_CASE("the error of a hook in the child is its own, whatever errno is") {
    Ours launcher;
    for (const int left : {0, EBUSY}) {
        CAPTURE(left);
        CHECK(error_of(launcher, "/bin/true", FailsInChild{own_error(7), left}) == own_error(7));
        CHECK(launcher.error().code().message() == "own error 7");
        CHECK(error_of(launcher, "/bin/true", FailsInChild{system_error_code(EPERM), left}) ==
              system_error_code(EPERM));
        const BoostError generic(ENOTDIR, boost::system::generic_category());
        CHECK(told(error_of(launcher, "/bin/true", FailsInChild{generic, left})) == "generic 20");
        CHECK(told(error_of(launcher, "/bin/true", FailsInChild{{0, zero_fails}, left})) ==
              "zero fails 0");
    }
    CHECK(count_children() == 0);
    if constexpr (is_oldest_boost) {
        Stock stock;
        CHECK(end_of(stock, "/bin/true", Texts{}, FailsInChild{own_error(7), EBUSY}) ==
              "system 16");
        Stock other;  // errno 0 is a success there, of a program that never ran
        CHECK(end_of(other, "/bin/true", Texts{}, FailsInChild{own_error(7), 0}) == "exit 1");
    }
}

TEST_CASE("an error of the standard library is told by its own category, from either side") {
    struct FailsInParent {
        BoostError error;
        BoostError on_child_waiting(Stock&, const Path&, const char* const*) const { return error; }
    };
    Ours launcher;
    const std::error_code errors[]{make_error_code(std::errc::permission_denied),
                                   std::error_code(EPERM, std::system_category()),
                                   std::error_code(7, own_std_category)};
    for (const std::error_code& error : errors) {
        CAPTURE(error.message());
        const std::error_code of_parent =
            error_of(launcher, "/bin/true", FailsInParent{BoostError(error)});
        CHECK(of_parent == error);
        CHECK(launcher.error().code() == error);
        const std::error_code of_child =
            error_of(launcher, "/bin/true", FailsInChild{BoostError(error)});
        CHECK(of_child == error);
        CHECK(launcher.error().code() == error);
        CHECK(launcher.error().code().message() == error.message());
    }
}

namespace {

struct HearsOfErrors {
    Log& log;
    void on_error(Stock&, const Path&, const char* const*, const BoostError& error) {
        log.add("error " + told(error));
    }
    void on_exec_error(Stock&, const Path&, const char* const*, const BoostError& error) {
        log.add("exec_error " + told(error));
    }
};

}  // namespace

TEST_CASE("the hooks for errors are called, each on its side and with the right code") {
    const TemporaryDirectory directory;
    Log log;
    Ours launcher;
    CHECK(end_of(launcher, "/nowhere", Texts{}, HearsOfErrors{log}) == "system 2");
    CHECK(log.text() == "child:exec_error system 2 parent:error system 2 ");
    log.clear();
    const Path no_format = directory.file("no-format", "text\n", 0700);
    CHECK(end_of(launcher, no_format, Texts{}, HearsOfErrors{log}) == "system 8");
    CHECK(log.text() == "child:exec_error system 8 parent:error system 8 ");
    log.clear();
    CHECK(end_of(launcher, "/bin/true", Texts{}, HearsOfErrors{log},
                 FailsInChild{own_error(7), EBUSY}) == "own 7");
    CHECK(log.text() == "child:exec_error own 7 parent:error own 7 ");
    log.clear();
    if constexpr (is_oldest_boost) {
        Stock stock;
        CHECK(end_of(stock, "/nowhere", Texts{}, HearsOfErrors{log}) == "system 2");
        CHECK(log.text().empty());
    }
}

TEST_CASE("an error that is no hook's is told to on_error as well") {
    Log log;
    Ours launcher;
    launcher.step(
        {.name = "fails", .parent = [](ParentSide& side) { return side.fail(EBUSY, "call"); }});
    CHECK(end_of(launcher, "/bin/true", Texts{}, HearsOfErrors{log}) == "system 16");
    CHECK(log.text() == "parent:error system 16 ");
}

TEST_CASE("a failed execve leaves no zombie") {
    asio::io_context context;
    BoostError error;
    Ours launcher;
    (void)launcher(context, error, "/nowhere", {});
    CHECK(count_children() == 0);
    CHECK_THROWS_AS(launcher(context, "/nowhere", {}), boost::system::system_error);
    CHECK(count_children() == 0);
    if constexpr (is_oldest_boost) {
        Stock stock;
        (void)std::fflush(stdout);
        (void)stock(context.get_executor(), error, "/nowhere", Texts{});
        CHECK(count_children() == 1);
        CHECK(waitpid(stock.pid, nullptr, 0) == stock.pid);
    }
}

namespace {

// The launcher's pid as the hooks see it.
struct SeesPid {
    static constexpr auto child_rules = ChildRules::shared_memory;
    struct Seen {
        std::atomic<pid_t> in_child{-2};
        std::atomic<pid_t> in_exec_error{-2};
        std::atomic<pid_t> waiting{-2};
        std::atomic<pid_t> in_error{-2};
    };
    Seen& seen;
    BoostError on_exec_setup(Stock& launcher, const Path&, const char* const*) {
        seen.in_child = launcher.pid;
        return {};
    }
    BoostError on_child_waiting(Stock& launcher, const Path&, const char* const*) {
        seen.waiting = launcher.pid;
        return {};
    }
    void on_exec_error(Stock& launcher, const Path&, const char* const*, const BoostError&) {
        seen.in_exec_error = launcher.pid;
    }
    void on_error(Stock& launcher, const Path&, const char* const*, const BoostError&) {
        seen.in_error = launcher.pid;
    }
};

}  // namespace

TEST_CASE("after a failed launch on_error has the id of the child, of which nothing is left") {
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        Ours launcher;
        launcher.options.birth.method = method;
        Shared<SeesPid::Seen> seen;
        CHECK(end_of(launcher, "/nowhere", Texts{}, SeesPid{*seen}) == "system 2");
        CHECK(seen->in_child == 0);
        CHECK(seen->in_exec_error == 0);
        CHECK(seen->waiting > 0);
        CHECK(seen->in_error == seen->waiting);
        CHECK(launcher.pid == seen->waiting);
        CHECK(waitpid(launcher.pid, nullptr, WNOHANG) < 0);
        CHECK(errno == ECHILD);
    }
    Ours launcher;
    Shared<SeesPid::Seen> seen;
    CHECK(end_of(launcher, "/bin/true", Texts{}, SeesPid{*seen}, FailsInChild{own_error(7)}) ==
          "own 7");
    CHECK(seen->waiting == -2);
    CHECK(seen->in_error > 0);
    CHECK(waitpid(seen->in_error, nullptr, WNOHANG) < 0);
    struct FailsInSetup {
        BoostError on_setup(Stock&, const Path&, const char* const*) { return own_error(8); }
    };
    CHECK(end_of(launcher, "/bin/true", Texts{}, SeesPid{*seen}, FailsInSetup()) == "own 8");
    CHECK(seen->in_error == -1);
}

TEST_CASE("a launch that fails destroys nothing of the parent's in the child") {
    // The stock launcher leaves the child by exit(3), which runs what the parent has registered.
    static Log* log = nullptr;
    Log of_this_test;
    Peer peer([&] {
        log = &of_this_test;
        expect(std::atexit([] { log->add("atexit"); }) == 0);
        Ours launcher;
        expect_same(end_of(launcher, "/nowhere", Texts{}, FailsInChild{}).c_str(), "system 2");
        expect_same(end_of(launcher, "/bin/true", Texts{}, FailsInChild{own_error(1)}).c_str(),
                    "own 1");
    });
    CHECK(peer.ending() == reached_the_end);
    CHECK(of_this_test.text().empty());
}

TEST_CASE("an error code that is given to an overload with a context is filled, not thrown") {
    asio::io_context context;
    BoostError error;
    Ours launcher;
    CHECK_NOTHROW((void)launcher(context, error, "/nowhere", {}));
    CHECK(error == system_error_code(ENOENT));
    if constexpr (is_oldest_boost) {
        Stock stock;
        (void)std::fflush(stdout);
        CHECK_THROWS_AS((void)stock(context, error, "/nowhere", Texts{}),
                        boost::system::system_error);
        CHECK(waitpid(stock.pid, nullptr, 0) == stock.pid);
    }
}

// Objects and descriptors.

TEST_CASE("a launcher is not used up by a launch") {
    Ours launcher;
    CHECK(run_shell(launcher, "exit 3") == "exit 3: ");
    CHECK(run_shell(launcher, "exit 4") == "exit 4: ");
    CHECK(run(launcher, "/bin/echo", Texts{"text"}) == "exit 0: text\n");
}

TEST_CASE("a descriptor below one that is passed on does not leak") {
    const UniqueFd low(fcntl(2, F_DUPFD, 50));
    const UniqueFd high(fcntl(2, F_DUPFD, 100));
    const auto has_low = [&](auto launcher) {
        launcher.fd_whitelist.push_back(high.get());
        const std::string descriptors = run(launcher, helper("launch_descriptors"), Texts{});
        CHECK(descriptors.find(" " + std::to_string(high.get()) + " ") != std::string::npos);
        return descriptors.find(" " + std::to_string(low.get()) + " ") != std::string::npos;
    };
    CHECK_FALSE(has_low(Ours()));
    if constexpr (is_oldest_boost) {
        CHECK(has_low(Stock()));
    }
}

// The end of a process.

namespace {

// Waits for it on the context; the exit code, or the error.
std::string wait_on(asio::io_context& context, v2::process& process) {
    std::string result = "not completed";
    syncspawn::for_boost::async_wait_exit(process, [&](BoostError error, int code) {
        result = error ? told(error) : std::to_string(code);
    });
    context.restart();
    context.run();
    return result;
}

}  // namespace

TEST_CASE("the end of a process is told to all who wait, at once and one after the other") {
    asio::io_context context;
    Ours launcher;
    Pipe held;
    v2::process process = launcher(context, "/bin/sh", {"-c", "cat; exit 7"},
                                   v2::process_stdio{held.read_end.get(), {}, {}});
    held.read_end.reset();
    std::string codes;
    for (int count = 0; count < 3; ++count) {
        syncspawn::for_boost::async_wait_exit(process, [&](BoostError error, int code) {
            codes += told(error) + " " + std::to_string(code) + ", ";
        });
    }
    context.poll();
    CHECK(codes.empty());
    held.write_end.reset();
    context.restart();
    context.run();
    CHECK(codes == "system 0 7, system 0 7, system 0 7, ");
    CHECK(wait_on(context, process) == "7");
    CHECK(wait_on(context, process) == "7");
    CHECK(process.exit_code() == 7);
}

TEST_CASE("a wait after one of the library's own gives the code again") {
    asio::io_context context;
    Ours launcher;
    v2::process process = launcher(context, "/bin/sh", {"-c", "exit 7"});
    SUBCASE("that blocked") { CHECK(process.wait() == 7); }
    SUBCASE("that did not") {
        int code = -1;
        process.async_wait([&](BoostError error, int its_code) {
            CHECK_FALSE(error);
            code = its_code;
        });
        context.run();
        CHECK(code == 7);
    }
    CHECK(wait_on(context, process) == "7");
    CHECK(wait_on(context, process) == "7");
    if constexpr (is_oldest_boost) {
        CHECK_THROWS_AS(process.wait(), boost::system::system_error);
        CHECK(wait_on(context, process) == "7");
    }
}

TEST_CASE("the end of a process that somebody else has reaped is an error") {
    asio::io_context context;
    Ours launcher;
    v2::process process = launcher(context, "/bin/sleep", {"1000"});
    const auto no_child = boost::system::errc::no_child_process;
    const auto reap = [&] {
        CHECK(kill(process.id(), SIGKILL) == 0);
        CHECK(waitpid(process.id(), nullptr, 0) == process.id());
    };
    SUBCASE("before the wait") {
        reap();
        BoostError error;
        syncspawn::for_boost::async_wait_exit(process, [&](BoostError its, int) { error = its; });
        context.run();
        CHECK(error == no_child);
    }
    SUBCASE("during the wait") {
        BoostError error;
        syncspawn::for_boost::async_wait_exit(process, [&](BoostError its, int) { error = its; });
        context.poll();
        reap();
        context.restart();
        context.run();
        CHECK(error == no_child);
    }
}
