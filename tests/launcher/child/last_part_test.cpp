#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/sanitizers.hpp"
#include "support/shared.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

// Step::last: in the child, behind all that the library does there.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

const std::string bare_program = SYNCSPAWN_TEST_HELPERS "/bare_program";

// A filter that kills for every system call but these, or what else is said of them.
class Filter {
public:
    explicit Filter(const std::vector<long>& allowed,
                    std::uint32_t otherwise = SECCOMP_RET_KILL_PROCESS) {
        code_.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)});
        for (const long number : allowed) {
            code_.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<std::uint32_t>(number)});
            code_.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW});
        }
#ifdef SYNCSPAWN_SANITIZED  // its run time looks for an alternate stack before execve
        code_.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_sigaltstack});
        code_.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW});
#endif
        code_.push_back({BPF_RET | BPF_K, 0, 0, otherwise});
    }

    std::error_code install(ChildSide& side) const noexcept {
        const sock_fprog program{static_cast<unsigned short>(code_.size()),
                                 const_cast<sock_filter*>(code_.data())};
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0
                   ? side.fail("prctl")
                   : side.done();
    }

    ChildPart part() const {
        return shared_memory([this](ChildSide& side) { return install(side); });
    }

private:
    std::vector<sock_filter> code_;
};

// What execve and bare_program need, and nothing for the library.
const Filter strict({SYS_execve, SYS_execveat, SYS_write, SYS_exit_group});
const Filter execve_alone(std::vector<long>{SYS_execve});

// The methods in turn, where the machine has both.
void with_each_method(const std::function<void(StartMethod)>& body) {
    for (const StartMethod method : {StartMethod::copied_memory, StartMethod::shared_memory}) {
        if (method == StartMethod::shared_memory && !memory_can_be_shared()) {
            leave_out("no child can share memory here: copied memory alone");
            continue;
        }
        CAPTURE(static_cast<int>(method));
        body(method);
    }
}

// What it wrote, and how it ended.
std::string run(SyncedSpawner& spawner) {
    SpawnError error;
    Process process = spawner.spawn(error);
    if (error) {
        return error.what();
    }
    const std::string text = read_all(process.standard_output());
    return text + ": " + process.wait().to_string();
}

const std::string ran = "ran: exited with code 42";

// What happened in the child, in its order.
class Log {
public:
    void add(char what) const noexcept { text_->entries[text_->size++] = what; }
    std::string text() const { return {text_->entries, text_->size}; }

private:
    struct Text {
        char entries[32];
        std::atomic<std::size_t> size;
    };
    Shared<Text> text_;
};

int death_signal() {
    int signal = -1;
    return prctl(PR_GET_PDEATHSIG, &signal) == 0 ? signal : -1;
}

}  // namespace

TEST_CASE("a filter that allows nothing but execve may be installed behind all else") {
    with_each_method([](StartMethod method) {
        SpawnOptions options{.program = bare_program, .birth = {.method = method}};
        const auto check = [&](const char* what) {
            CAPTURE(what);
            options.streams.output = Stdio::pipe();
            SyncedSpawner spawner(options);
            spawner.step({.name = "filter", .last = strict.part()});
            CHECK(run(spawner) == ran);
        };
        check("alone");
        options.readiness.hand_over = HandOver::barrier;
        check("with the barrier handed over");
        options.ending.die_with_parent = true;
        check("with both");
        options.readiness.hand_over = HandOver::nothing;
        check("dying with its parent");
        options.working_directory = "/";
        options.ending.scope = KillScope::process_group;
        options.descriptors.passed = {{0, 20}};
        check("with more to do");
    });
}

TEST_CASE("the same filter in an ordinary part kills, and the error says where it belongs") {
    with_each_method([](StartMethod method) {
        SyncedSpawner spawner({.program = bare_program, .birth = {.method = method}});
        spawner.step({.name = "filter", .child = strict.part()});
        const SpawnError error = failure_of(spawner);
        CHECK(std::string(error.what())
                  .starts_with("the child was killed by SIGSYS in step 'filter' (a seccomp filter "
                               "killed it."));
        CHECK(error.hint().find("Step::last") != std::string::npos);
        CHECK_FALSE(error.program_may_have_run());
    });
}

TEST_CASE("a filter that forbids execve is named as what killed the child there") {
    const Filter nothing(std::vector<long>{SYS_exit_group});
    SyncedSpawner spawner({.program = bare_program});
    spawner.step({.name = "filter", .last = nothing.part()});
    const SpawnError error = failure_of(spawner);
    CHECK(error.stage() == Stage::execve);
    CHECK(error.hint() == "a seccomp filter killed it: it must allow execve(2)");
}

TEST_CASE("last parts run behind all others, in the order of their steps") {
    with_each_method([](StartMethod method) {
        const Log log;
        const auto note = [&log](char what) {
            return shared_memory([&log, what](ChildSide&) { log.add(what); });
        };
        SyncedSpawner spawner({.program = "true", .birth = {.method = method}});
        spawner.step({.name = "a", .child = note('a'), .last = note('A')});
        spawner.step({.name = "b", .last = note('B')});
        spawner.rendezvous("middle");
        spawner.step({.name = "c",
                      .child = note('c'),
                      .parent = [&log](ParentSide&) { log.add('p'); },
                      .order = StepOrder::child_first,
                      .last = note('C')});
        spawner.step({.name = "d", .child = note('d')});
        CHECK(spawner.spawn().wait().success());
        std::string text = log.text();
        CHECK(std::erase(text, 'p') == 1);  // whenever, before "ready to exec"
        CHECK(text == "acdABC");
        CHECK(log.text().find('p') < log.text().find('A'));
    });
}

TEST_CASE("a last part finds what the program will have") {
    with_each_method([](StartMethod method) {
        for (const bool dies : {false, true}) {
            CAPTURE(dies);
            sigset_t mask;
            sigemptyset(&mask);
            sigaddset(&mask, SIGUSR2);
            SyncedSpawner spawner({.program = "true",
                                   .descriptors = {.passed = {{0, 25}}},
                                   .birth = {.method = method},
                                   .signals = {.mask = mask},
                                   .ending = {.die_with_parent = dies}});
            spawner.step({.name = "looks", .last = shared_memory([dies](ChildSide& side) {
                                               sigset_t now;
                                               sigprocmask(SIG_SETMASK, nullptr, &now);
                                               if (fcntl(25, F_GETFD) != 0) {
                                                   return side.fail("descriptor");
                                               }
                                               if (sigismember(&now, SIGUSR2) != 1 ||
                                                   sigismember(&now, SIGTERM) != 0) {
                                                   return side.fail(EINVAL, "mask");
                                               }
                                               return death_signal() == (dies ? SIGKILL : 0)
                                                          ? side.done()
                                                          : side.fail(EINVAL, "death signal");
                                           })});
            SpawnError error;
            Process process = spawner.spawn(error);
            CHECK(std::string(error.what()) == "no error");
            CHECK((process && process.wait().success()));
        }
    });
}

TEST_CASE("a last part that fails is reported, and the program does not run") {
    const TemporaryDirectory directory;
    const std::string mark = directory / "mark";
    const auto check = [&](StartMethod method, const Filter* filter) {
        SpawnOptions options = shell("echo >" + mark);
        options.birth = {.method = method};
        SyncedSpawner spawner(options);
        int undone = 0;
        spawner.step({.name = "a",
                      .parent = [](ParentSide&) {},
                      .undo = [&undone](ParentSide&) { ++undone; }});
        if (filter != nullptr) {
            spawner.step({.name = "filter", .last = filter->part()});
        }
        spawner.step({.name = "x", .last = shared_memory([](ChildSide& side) {
                                       return side.fail(EIO, "call");
                                   })});
        const SpawnError error = failure_of(spawner);
        CHECK(std::string(error.what()) == "x in the child: call: input/output error");
        CHECK(error.stage() == Stage::step);
        CHECK(error.step() == "x");
        CHECK(error.code() == std::errc::io_error);
        CHECK_FALSE(error.program_may_have_run());
        CHECK(undone == 1);
        CHECK(access(mark.c_str(), F_OK) < 0);
        CHECK(count_children() == 0);
    };
    with_each_method([&](StartMethod method) {
        check(method, nullptr);
        check(method, &strict);        // it lets it leave
        check(method, &execve_alone);  // and this kills it for that
    });
}

TEST_CASE("a last part that throws, or kills its process, is told so") {
    SyncedSpawner spawner({.program = "true"});
    std::string text;
    SUBCASE("throws") {
        spawner.step({.name = "x",
                      .last = after_fork([](ChildSide&) { throw std::runtime_error("thrown"); })});
        text = "x in the child: exception: thrown";
    }
    SUBCASE("is killed") {
        spawner.step(
            {.name = "x", .last = shared_memory([](ChildSide&) { kill(getpid(), SIGKILL); })});
        text = "the child was killed by SIGKILL in step 'x'";
    }
    const SpawnError error = failure_of(spawner);
    CHECK(error.what() == text);
    CHECK_FALSE(error.program_may_have_run());
}

TEST_CASE("the errno of execve is reported even if a filter kills the search for the reason") {
    const auto check = [](StartMethod method, const std::string& program, const std::string& text) {
        SpawnOptions options{.program = program, .birth = {.method = method}};
        options.environment.set("PATH", "/nowhere:/usr/bin:/bin");
        SyncedSpawner spawner(options);
        spawner.step({.name = "filter", .last = execve_alone.part()});
        const SpawnError error = failure_of(spawner);
        CHECK(error.what() == "execve '" + program + "' in the child: " + text);
        CHECK_FALSE(error.program_may_have_run());
    };
    with_each_method([&](StartMethod method) {
        check(method, "/nowhere", "no such file or directory");
        check(method, "/etc/passwd", "permission denied");
        check(method, "no-such-program",
              "no such file or directory (it is in no directory of PATH)");
    });
}

TEST_CASE("a failed execve is the first cause, whatever exec_failed does behind a filter") {
    with_each_method([](StartMethod method) {
        SyncedSpawner spawner({.program = "/nowhere", .birth = {.method = method}});
        spawner.step({.name = "filter", .last = execve_alone.part(), .exec_failed = [](ChildSide&) {
                          (void)getppid();
                      }});  // kills
        const SpawnError error = failure_of(spawner);
        CHECK(std::string(error.what()) ==
              "execve '/nowhere' in the child: no such file or directory");
        CHECK_FALSE(error.program_may_have_run());
    });
}

TEST_CASE("a look that a filter refuses is no reason for a failed execve") {
    const Filter refuses({SYS_execve, SYS_write, SYS_exit_group}, SECCOMP_RET_ERRNO | EPERM);
    SyncedSpawner spawner({.program = "/etc/passwd"});
    spawner.step({.name = "filter", .last = refuses.part()});
    CHECK(std::string(failure_of(spawner).what()) ==
          "execve '/etc/passwd' in the child: permission denied");
}

TEST_CASE("a last part cannot replace the environment that the barrier is handed over in") {
    with_each_method([](StartMethod method) {
        static constexpr const char* none[] = {nullptr};
        SyncedSpawner spawner({.program = bare_program,
                               .birth = {.method = method},
                               .readiness = {.hand_over = HandOver::barrier}});
        spawner.step({.name = "filter", .last = strict.part()});
        spawner.step({.name = "x", .last = shared_memory([](ChildSide& side) {
                                       side.replace_environment(none);
                                   })});
        const SpawnError error = failure_of(spawner);
        CHECK(std::string(error.what()) ==
              "x in the child: a part has replaced the environment: invalid argument");
        CHECK_FALSE(error.program_may_have_run());
    });
}

TEST_CASE("a program is found along PATH behind a filter that allows no look") {
    const TemporaryDirectory directory;
    const std::string path = directory / "bare";
    std::filesystem::copy_file(bare_program, path);
    with_each_method([&](StartMethod method) {
        SpawnOptions options{.program = "bare", .birth = {.method = method}};
        options.streams.output = Stdio::pipe();
        options.environment.set("PATH", "/nowhere:" + bare_program + ":/etc:" + directory.path());
        SyncedSpawner spawner(options);
        spawner.step({.name = "filter", .last = strict.part()});
        CHECK(run(spawner) == ran);
    });
}

TEST_CASE("a step that has only a last part hears of a failed execve") {
    const Shared<std::atomic<int>> heard;
    SyncedSpawner spawner({.program = "/nowhere"});
    spawner.step({.name = "x",
                  .last = shared_memory([](ChildSide&) {}),
                  .exec_failed = [&heard](ChildSide&) { *heard = errno; }});
    spawner.step({.name = "y",
                  .child = shared_memory([](ChildSide&) {}),
                  .last = shared_memory([](ChildSide&) {}),
                  .exec_failed = [&heard](ChildSide&) { *heard += 1000; }});
    CHECK(failure_of(spawner).stage() == Stage::execve);
    CHECK(*heard % 1000 == ENOENT);  // y's, which is told with its first part, was once, and before
}

TEST_CASE("a last part has its token as any other part") {
    const ChildPart copying = after_fork([](ChildSide&) {});
    SyncedSpawner shared({.program = "true", .birth = {.method = StartMethod::shared_memory}});
    CHECK_THROWS_AS(shared.step({.name = "x", .last = copying}), std::invalid_argument);
    SyncedSpawner apart({.program = "true", .birth = {.namespaces = Namespaces::user}});
    CHECK_THROWS_AS(apart.step({.name = "x", .last = copying}), std::invalid_argument);
    SyncedSpawner any({.program = "true"});
    any.step({.name = "x", .last = copying});
    Process process = any.spawn();
    CHECK(process.start_method() == StartMethod::copied_memory);
    CHECK(process.wait().success());
}

TEST_CASE("a launch that is cancelled in a last part ends without its program") {
    with_each_method([](StartMethod method) {
        int cancel[2];
        int gate[2];
        REQUIRE(pipe2(cancel, O_CLOEXEC) == 0);
        REQUIRE(pipe2(gate, O_CLOEXEC) == 0);
        SpawnOptions options{.program = "true", .birth = {.method = method}};
        options.setup.cancel_when_readable = cancel[0];
        options.setup.abort_grace = 0ns;
        SyncedSpawner spawner(options);
        spawner.step({.name = "held",
                      .last = shared_memory([&](ChildSide&) {
                          char byte = 0;
                          (void)!write(cancel[1], &byte, 1);
                          (void)!read(gate[0], &byte, 1);  // until it is killed
                      }),
                      .descriptors = {cancel[1], gate[0]}});
        const SpawnError error = failure_of(spawner);
        CHECK(error.cause() == Cause::cancelled);
        CHECK_FALSE(error.program_may_have_run());
        for (const int fd : {cancel[0], cancel[1], gate[0], gate[1]}) {
            close(fd);
        }
    });
}

// The parent is killed while its child is in a last part. What bare_program writes tells whether it runs.
TEST_CASE("a parent that dies during a last part takes the program along only if asked") {
    with_each_method([](StartMethod method) {
        for (const bool dies : {false, true}) {
            CAPTURE(dies);
            int output[2];
            int gate[2];
            REQUIRE(pipe2(output, O_CLOEXEC) == 0);
            REQUIRE(pipe2(gate, O_CLOEXEC) == 0);
            const Gate inside;
            Peer parent([&] {
                SyncedSpawner spawner({.program = bare_program,
                                       .streams = {.output = Stdio::descriptor(output[1])},
                                       .descriptors = {.others = OtherDescriptors::leave},
                                       .birth = {.method = method},
                                       .ending = {.die_with_parent = dies}});
                spawner.step({.name = "held", .last = shared_memory([&](ChildSide&) {
                                                  char byte = 0;
                                                  inside.open();
                                                  (void)!read(gate[0], &byte, 1);
                                              })});
                (void)spawner.spawn();
            });
            close(output[1]);
            REQUIRE(inside.wait());
            parent.send(SIGKILL);
            CHECK(parent.ending() == "killed by SIGKILL");
            CHECK(write(gate[1], "x", 1) == 1);
            CHECK(read_all(output[0]) == (dies ? "" : "ran"));
            for (const int fd : {output[0], gate[0], gate[1]}) {
                close(fd);
            }
        }
    });
}

TEST_CASE("the timeline has a last part between the parts and execve") {
    SyncedSpawner spawner({.program = "true"});
    spawner.step({.name = "x", .child = shared_memory([](ChildSide&) {})});
    spawner.step({.name = "y", .last = shared_memory([](ChildSide&) {})});
    Process process = spawner.spawn();
    std::string childs;
    for (const TimelineEvent& event : process.timeline()) {
        childs += event.side == WhichSide::child ? event.what + "; " : "";
    }
    CHECK(childs ==
          "started; x ...; x: done; waits at [ready to exec]; passes [ready to exec]; y ...; y: "
          "done; execve 'true'; ");
    CHECK(process.wait().success());
}
