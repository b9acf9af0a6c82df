#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/launch_ends.hpp"
#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/shared_memory.hpp"

// What a caller needs that has parts of its own for everything: descriptors that are left alone, word of
// a failed execve, errors with codes of its own.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

std::string refusal_of(const SpawnOptions& options) {
    try {
        const SyncedSpawner spawner(options);
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "accepted";
}

// A pipe with a text in it; only the read end is left. Both are close-on-exec.
UniqueFd pipe_with(const std::string& text) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        throw std::system_error(errno, std::generic_category(), "pipe2");
    }
    const UniqueFd write_end(ends[1]);
    (void)!write(write_end.get(), text.data(), text.size());
    return UniqueFd(ends[0]);
}

// The same file under another number, which a program gets.
UniqueFd inheritable(const UniqueFd& fd) { return UniqueFd(fcntl(fd.get(), F_DUPFD, 3)); }

// Where children write what the test reads.
class Reports {
public:
    Reports() {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0) {
            throw std::system_error(errno, std::generic_category(), "pipe2");
        }
        read_end_.reset(ends[0]);
        write_end_.reset(ends[1]);
    }
    int descriptor() const noexcept { return write_end_.get(); }
    // All that was written. The children are gone.
    std::string text() {
        write_end_.reset();
        return read_all(read_end_.get());
    }

private:
    UniqueFd read_end_;
    UniqueFd write_end_;
};

// In a child part, by the rules of shared memory.
void report(int fd, char letter) noexcept { (void)!write(fd, &letter, 1); }

// Options of the program that prints what it reads from these descriptors, and then all that it has.
SpawnOptions descriptors_of_program(StartMethod method, OtherDescriptors others,
                                    const std::vector<int>& read_first = {}) {
    SpawnOptions options{.program = SYNCSPAWN_TEST_HELPERS "/launch_descriptors",
                         .descriptors = {.others = others},
                         .birth = {.method = method}};
    for (const int number : read_first) {
        options.arguments.push_back(std::to_string(number));
    }
    return options;
}

// What this process would leave to a program now, with these beside. Whoever started the test may have
// left it some.
std::string inherited_and(std::initializer_list<int> others) {
    std::set<int> numbers{0, 1, 2};
    for (const int number : open_descriptors()) {
        if (!is_close_on_exec(number)) {
            numbers.insert(number);
        }
    }
    numbers.insert(others);
    std::string text;
    for (const int number : numbers) {
        text += std::to_string(number) + " ";
    }
    return text;
}

// The output of the program after this child part.
std::string output_after(SpawnOptions options, Part<ChildSide> part) {
    options.streams.output = Stdio::pipe();
    SyncedSpawner spawner(std::move(options));
    spawner.step({.name = "x", .child = shared_memory(std::move(part))});
    Process process = spawner.spawn();
    std::string text = read_all(process.standard_output());
    CHECK(process.wait().success());
    return text;
}

// So that what is opened next gets a number above `last`.
std::vector<UniqueFd> take_numbers_up_to(int last) {
    std::vector<UniqueFd> taken;
    for (int number = 3; number <= last; ++number) {
        if (!is_open(number)) {
            taken.emplace_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
        }
    }
    return taken;
}

// An error category that is no errno's.
class OwnCategory : public std::error_category {
public:
    const char* name() const noexcept override { return "own category"; }
    std::string message(int value) const override { return "own error " + std::to_string(value); }
};
const OwnCategory own_category;

}  // namespace

// Other descriptors.

TEST_CASE("by default the parts and the program get no descriptor that nobody names") {
    const UniqueFd flagged = pipe_with("text");
    const UniqueFd plain = inheritable(flagged);
    CHECK(SpawnOptions{}.descriptors.others == OtherDescriptors::close);
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        SpawnOptions options = descriptors_of_program(method, SpawnOptions{}.descriptors.others);
        CHECK(output_after(options, [one = flagged.get(), other = plain.get()](ChildSide& side) {
                  const bool are_closed = fcntl(one, F_GETFD) < 0 && fcntl(other, F_GETFD) < 0;
                  // It opens one without the flag: that is no descriptor of the program either.
                  const int own = open("/dev/null", O_RDONLY);
                  return are_closed && own >= 0 ? side.done() : side.fail(EIO, "descriptors");
              }) == "0 1 2 ");
    }
}

TEST_CASE("left alone, all are open to the child parts, undeclared") {
    const UniqueFd flagged = pipe_with("abc");
    const UniqueFd plain = inheritable(flagged);
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        SpawnOptions options{.program = "true",
                             .descriptors = {.others = OtherDescriptors::leave},
                             .birth = {.method = method}};
        SyncedSpawner spawner(options);
        Reports reports;
        const auto part = [flagged = flagged.get(), plain = plain.get(),
                           reports = reports.descriptor()](ChildSide& side) {
            const bool is_as_it_was = (fcntl(flagged, F_GETFD) & FD_CLOEXEC) != 0 &&
                                      (fcntl(plain, F_GETFD) & FD_CLOEXEC) == 0;
            report(reports, 'x');
            return is_as_it_was ? side.done() : side.fail(EIO, "descriptors");
        };
        spawner.step({.name = "x", .child = shared_memory(part)});
        spawner.rendezvous("both").step({.name = "y", .child = shared_memory(part)});
        SpawnError error;
        Process process = spawner.spawn(error);
        REQUIRE(std::string(error.what()) == "no error");
        CHECK(process.wait().success());
        CHECK(reports.text() == "xx");
    }
}

TEST_CASE("left alone, the program gets those without the close-on-exec flag and no others") {
    const auto check_with = [](void (*change)(SpawnOptions&)) {
        for (const StartMethod method : start_methods()) {
            CAPTURE(static_cast<int>(method));
            const UniqueFd flagged = pipe_with("flagged");
            const UniqueFd source = pipe_with("text");
            const UniqueFd plain = inheritable(source);
            SpawnOptions options =
                descriptors_of_program(method, OtherDescriptors::leave, {plain.get()});
            change(options);
            const std::string expected = "text " + inherited_and({});
            CHECK(output_of(options) == expected);
            CHECK(output_after(options, [](ChildSide&) {}) == " " + inherited_and({}));
        }
    };
    SUBCASE("with one pipe") {
        check_with([](SpawnOptions&) {});
    }
    SUBCASE("with three pipes") {
        check_with([](SpawnOptions& options) {
            options.streams.input = Stdio::pipe();
            options.streams.error = Stdio::pipe();
        });
    }
    SUBCASE("with /dev/null") {
        check_with([](SpawnOptions& options) {
            options.streams.input = Stdio::null();
            options.streams.error = Stdio::null();
        });
    }
}

TEST_CASE("left alone, a driven launch keeps its watch from the program") {
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        SpawnOptions options = descriptors_of_program(method, OtherDescriptors::leave);
        options.streams.output = Stdio::pipe();
        const std::string expected = inherited_and({});
        Launch launch = SyncedSpawner(options).launch();
        while (!launch.advance()) {
            await_event(launch.descriptor());
        }
        Process process = launch.take_process();
        CHECK(read_all(process.standard_output()) == expected);
        CHECK(process.wait().success());
    }
}

TEST_CASE("left alone, passed descriptors come beside the others or in their place") {
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        const UniqueFd passed = pipe_with("passed");
        const UniqueFd source = pipe_with("source");
        const UniqueFd plain = inheritable(source);
        SpawnOptions options =
            descriptors_of_program(method, OtherDescriptors::leave, {plain.get(), 60});
        options.descriptors.passed = {{passed.get(), 60}};
        CHECK(output_of(options) == "source passed " + inherited_and({60}));

        const UniqueFd again = pipe_with("again");
        options = descriptors_of_program(method, OtherDescriptors::leave, {plain.get()});
        options.descriptors.passed = {{again.get(), plain.get()}};
        CHECK(output_of(options) == "again " + inherited_and({}));
    }
}

TEST_CASE("left alone, what a part opens without the close-on-exec flag reaches the program") {
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        const UniqueFd source = pipe_with("text");
        CHECK(output_after(descriptors_of_program(method, OtherDescriptors::leave, {70, 71}),
                           [from = source.get()](ChildSide& side) {
                               return dup2(from, 70) < 0 || dup3(from, 71, O_CLOEXEC) < 0
                                          ? side.fail("dup")
                                          : side.done();
                           }) == "text  " + inherited_and({70}));
        // What a part closes, the program does not get.
        const UniqueFd plain = inheritable(source);
        const std::string all = inherited_and({});
        std::string without = " " + all;
        const std::string number = " " + std::to_string(plain.get()) + " ";
        without.replace(without.find(number), number.size(), " ");
        CHECK(" " + output_after(descriptors_of_program(method, OtherDescriptors::leave),
                                 [fd = plain.get()](ChildSide&) { close(fd); }) ==
              without);
    }
}

TEST_CASE("left alone, the barrier is handed over as ever") {
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        SpawnOptions options{.program = SYNCSPAWN_TEST_HELPERS "/launch_readiness",
                             .arguments = {"is ready"},
                             .descriptors = {.others = OtherDescriptors::leave},
                             .birth = {.method = method},
                             .readiness = {.within = 60s}};
        options.descriptors.filled_by_parts = {10, 20, 30};
        SyncedSpawner spawner(options);
        spawner.step({.name = "x", .child = shared_memory([](ChildSide& side) {
                                       for (const int number : {10, 20, 30}) {
                                           if (dup2(0, number) < 0) {
                                               return side.fail("dup2");
                                           }
                                       }
                                       return side.done();
                                   })});
        SpawnError error;
        Process process = spawner.spawn(error);
        REQUIRE(std::string(error.what()) == "no error");
        CHECK(process.wait().code() == 42);
    }
}

// Numbers that the parts fill.

namespace {

constexpr int first_filled = 10;
constexpr int last_filled = 40;

std::vector<int> filled_numbers() {
    std::vector<int> numbers;
    for (int number = first_filled; number <= last_filled; ++number) {
        numbers.push_back(number);
    }
    return numbers;
}

// A child part that fills all those numbers with this descriptor.
auto fill_from(int from) {
    return [from](ChildSide& side) {
        for (int number = first_filled; number <= last_filled; ++number) {
            if (dup2(from, number) < 0) {
                return side.fail("dup2");
            }
        }
        return side.done();
    };
}

struct Filling {
    OtherDescriptors others;
    StartMethod method;
};

std::vector<Filling> every_filling() {
    std::vector<Filling> all;
    for (const StartMethod method : start_methods()) {
        all.push_back({OtherDescriptors::close, method});
        all.push_back({OtherDescriptors::leave, method});
    }
    return all;
}

// The launch's own descriptors begin at one number after another, so that what it opens comes to lie in
// the numbers that are filled, in all ways. The source is above them.
template <class Check>
void fill_under_every_start(Check check) {
    for (const Filling& filling : every_filling()) {
        for (int taken = 2; taken < 24; taken += 3) {
            CAPTURE(static_cast<int>(filling.others));
            CAPTURE(static_cast<int>(filling.method));
            CAPTURE(taken);
            const UniqueFd nothing(open("/dev/null", O_RDONLY | O_CLOEXEC));
            const UniqueFd high(fcntl(nothing.get(), F_DUPFD_CLOEXEC, 80));
            const std::vector<UniqueFd> rest = take_numbers_up_to(taken);
            check(filling, high.get());
        }
    }
}

}  // namespace

TEST_CASE("a part that fills numbers it was given does not harm the launch") {
    fill_under_every_start([](const Filling& filling, int source) {
        SyncedSpawner spawner(
            {.program = "true",
             .descriptors = {.others = filling.others, .filled_by_parts = filled_numbers()},
             .birth = {.method = filling.method}});
        spawner.step({.name = "x",
                      .child = shared_memory(fill_from(source)),
                      .parent = [](ParentSide&) {},
                      .order = StepOrder::child_first,
                      .descriptors = {source}});
        spawner.rendezvous("both");
        SpawnError error;
        Process process = spawner.spawn(error);
        CHECK(std::string(error.what()) == "no error");
        CHECK((process && process.wait().success()));
    });
}

TEST_CASE("a failed execve is told after a part that fills numbers it was given") {
    fill_under_every_start([](const Filling& filling, int source) {
        SyncedSpawner spawner(
            {.program = "/nowhere",
             .descriptors = {.others = filling.others, .filled_by_parts = filled_numbers()},
             .birth = {.method = filling.method}});
        spawner.step(
            {.name = "x", .child = shared_memory(fill_from(source)), .descriptors = {source}});
        CHECK(std::string(failure_of(spawner).what()) ==
              "execve '/nowhere' in the child: no such file or directory");
    });
}

TEST_CASE("a part that fills numbers it was given does not harm the streams") {
    (void)signal(SIGPIPE, SIG_IGN);  // a program without its input is found out by its output
    fill_under_every_start([](const Filling& filling, int source) {
        SpawnOptions options = shell("read line; echo out $line; echo err $line >&2");
        options.streams.input = Stdio::pipe();
        options.streams.output = Stdio::pipe();
        options.streams.error = Stdio::pipe();
        options.descriptors.others = filling.others;
        options.descriptors.filled_by_parts = filled_numbers();
        options.birth.method = filling.method;
        SyncedSpawner spawner(options);
        spawner.step(
            {.name = "x", .child = shared_memory(fill_from(source)), .descriptors = {source}});
        SpawnError error;
        Process process = spawner.spawn(error);
        REQUIRE(std::string(error.what()) == "no error");
        (void)!write(process.standard_input(), "x\n", 2);
        process.take_standard_input().reset();
        CHECK(read_all(process.standard_output()) == "out x\n");
        CHECK(read_all(process.standard_error()) == "err x\n");
        CHECK(process.wait().success());
    });
}

TEST_CASE("left alone, the program gets the numbers that a part filled, and its streams") {
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        const UniqueFd text = pipe_with("text");
        const UniqueFd source(fcntl(text.get(), F_DUPFD_CLOEXEC, 80));
        const UniqueFd passed(fcntl(pipe_with("passed").get(), F_DUPFD_CLOEXEC, 80));
        SpawnOptions options =
            descriptors_of_program(method, OtherDescriptors::leave, {last_filled, 50});
        options.descriptors.filled_by_parts = filled_numbers();
        options.descriptors.passed = {{passed.get(), 50}};
        std::string expected = "text passed ";
        std::set<int> numbers{0, 1, 2, 50};
        for (const int number : open_descriptors()) {
            if (!is_close_on_exec(number)) {
                numbers.insert(number);
            }
        }
        for (const int number : filled_numbers()) {
            numbers.insert(number);
        }
        for (const int number : numbers) {
            expected += std::to_string(number) + " ";
        }
        CHECK(output_after(options, fill_from(source.get())) == expected);
    }
}

TEST_CASE("a standard stream may be a number that a part fills") {
    for (const Filling& filling : every_filling()) {
        CAPTURE(static_cast<int>(filling.others));
        CAPTURE(static_cast<int>(filling.method));
        const UniqueFd source = pipe_with("text");
        SpawnOptions options{
            .program = "cat",
            .descriptors = {.others = filling.others, .filled_by_parts = {STDIN_FILENO}},
            .birth = {.method = filling.method}};
        options.streams.output = Stdio::pipe();
        SyncedSpawner spawner(options);
        spawner.step({.name = "x",
                      .child = shared_memory([from = source.get()](ChildSide& side) {
                          return dup2(from, STDIN_FILENO) < 0 ? side.fail("dup2") : side.done();
                      }),
                      .descriptors = {source.get()}});
        Process process = spawner.spawn();
        CHECK(read_all(process.standard_output()) == "text");
        CHECK(process.wait().success());
    }
}

TEST_CASE("numbers that no part can fill are refused") {
    const auto refusal_with = [](int number) {
        return refusal_of({.program = "a", .descriptors = {.filled_by_parts = {3, number}}});
    };
    CHECK(refusal_with(-1) == "syncspawn: the parts cannot fill descriptor -1");
    CHECK(refusal_with(1 << 30) == "syncspawn: the parts cannot fill descriptor 1073741824");
    CHECK(refusal_with(0) == "accepted");
    CHECK(refusal_with(3) == "accepted");  // one that is named twice is filled twice
    CHECK(refusal_with((1 << 30) - 1) == "accepted");
}

// Word of a failed execve.

namespace {

// A step that reports `part` in its child part, and `failed` if execve has failed.
Step reporting(const std::string& name, const Reports& reports, char part, char failed) {
    const int fd = reports.descriptor();
    return {.name = name,
            .child = shared_memory([fd, part](ChildSide&) { report(fd, part); }),
            .exec_failed = [fd, failed](ChildSide&) { report(fd, failed); },
            .descriptors = {fd}};
}

}  // namespace

TEST_CASE("a step hears of a failed execve, with the errno") {
    const TemporaryDirectory directory;
    struct Case {
        std::string program;
        int error;
    };
    const Case cases[]{{"/nowhere", ENOENT},
                       {"no-such-program", ENOENT},
                       {directory.file("refused", "#!/bin/sh\n", 0644), EACCES},
                       {directory.file("unknown", "no format\n", 0755), ENOEXEC}};
    for (const StartMethod method : start_methods()) {
        for (const Case& one : cases) {
            CAPTURE(static_cast<int>(method));
            CAPTURE(one.program);
            Reports reports;
            SyncedSpawner spawner({.program = one.program, .birth = {.method = method}});
            for (const char* name : {"a", "b"}) {
                spawner.step({.name = name,
                              .child = shared_memory([](ChildSide&) {}),
                              .exec_failed =
                                  [fd = reports.descriptor()](ChildSide&) {
                                      report(fd, static_cast<char>(errno));
                                      errno = EIO;  // is the next one's no more than the report's
                                  },
                              .descriptors = {reports.descriptor()}});
            }
            CHECK(failure_of(spawner).code() ==
                  std::error_code(one.error, std::generic_category()));
            CHECK(reports.text() == std::string(2, static_cast<char>(one.error)));
        }
    }
}

TEST_CASE("the steps hear of a failed execve in their order, after all parts") {
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        Reports reports;
        SyncedSpawner spawner({.program = "/nowhere", .birth = {.method = method}});
        spawner.step(reporting("a", reports, '1', 'a'));
        spawner.step({.name = "silent", .child = shared_memory([](ChildSide&) {})});
        spawner.step({.name = "parent", .parent = [](ParentSide&) {}});
        spawner.rendezvous("both");
        spawner.step(reporting("b", reports, '2', 'b'));
        spawner.step(reporting("c", reports, '3', 'c'));
        CHECK(std::string(failure_of(spawner).what()) ==
              "execve '/nowhere' in the child: no such file or directory");
        CHECK(reports.text() == "123abc");
    }
}

TEST_CASE("no step hears of an execve that did not fail") {
    std::function<void(SpawnOptions&, Step&)> change = [](SpawnOptions&, Step&) {};
    std::string text = "no error";
    SUBCASE("for it went well") {}
    SUBCASE("for a part of the child failed") {
        change = [](SpawnOptions&, Step& step) {
            step.child = shared_memory([](ChildSide& side) { return side.fail(EIO, "call"); });
        };
        text = "b in the child: call: input/output error";
    }
    SUBCASE("for a part of the parent failed") {
        change = [](SpawnOptions&, Step& step) {
            step.child = shared_memory([](ChildSide&) {});
            step.parent = [](ParentSide& side) { return side.fail(EIO, "call"); };
            step.order = StepOrder::child_first;
        };
        text = "b in the parent: call: input/output error";
    }
    SUBCASE("for the working directory is missing") {
        change = [](SpawnOptions& options, Step&) { options.working_directory = "/nowhere"; };
        text = "chdir to '/nowhere' in the child: no such file or directory";
    }
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        Reports reports;
        SpawnOptions options{.program = "true", .birth = {.method = method}};
        Step last{.name = "b", .child = shared_memory([](ChildSide&) {})};
        const int fd = reports.descriptor();
        last.exec_failed = [fd](ChildSide&) { report(fd, 'b'); };
        last.descriptors = {fd};
        change(options, last);
        SyncedSpawner spawner(options);
        spawner.step(reporting("a", reports, '1', 'a')).step(last);
        SpawnError error;
        Process process = spawner.spawn(error);
        CHECK(std::string(error.what()) == text);
        CHECK((error || process.wait().success()));
        CHECK(reports.text() == "1");
    }
}

TEST_CASE("what a step says of the failed execve changes nothing of its report") {
    Reports reports;
    SyncedSpawner spawner({.program = "/nowhere", .birth = {.method = StartMethod::copied_memory}});
    const std::string expected = "execve '/nowhere' in the child: no such file or directory";
    Step first = reporting("a", reports, '1', 'a');
    SUBCASE("by its result") {
        first.exec_failed = [](ChildSide& side) { return side.fail(EIO, "call"); };
    }
    SUBCASE("by an exception") {
        first.exec_failed = [](ChildSide&) { throw std::runtime_error("thrown"); };
        first.child.rules = ChildRules::after_fork;
    }
    SUBCASE("by an exception of another type") {
        first.exec_failed = [](ChildSide&) { throw 1; };
        first.child.rules = ChildRules::after_fork;
    }
    spawner.step(first).step(reporting("b", reports, '2', 'b'));
    const SpawnError error = failure_of(spawner);
    CHECK(std::string(error.what()) == expected);
    CHECK(error.cause() == Cause::error);
    CHECK(error.stage() == Stage::execve);
    CHECK(error.code() == std::errc::no_such_file_or_directory);
    CHECK(error.detail().empty());
    CHECK(reports.text() == "12b");
}

TEST_CASE("the program's signal mask is in force when a step hears of the failed execve") {
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        Reports reports;
        sigset_t mask;
        sigemptyset(&mask);
        sigaddset(&mask, SIGUSR1);
        SyncedSpawner spawner(
            {.program = "/nowhere", .birth = {.method = method}, .signals = {.mask = mask}});
        spawner.step({.name = "x",
                      .child = shared_memory([](ChildSide&) {}),
                      .exec_failed =
                          [fd = reports.descriptor()](ChildSide&) {
                              sigset_t now;
                              sigprocmask(SIG_SETMASK, nullptr, &now);
                              report(fd, sigismember(&now, SIGUSR1) == 1 ? 'y' : 'n');
                              report(fd, sigismember(&now, SIGUSR2) == 1 ? 'y' : 'n');
                          },
                      .descriptors = {reports.descriptor()}});
        CHECK(failure_of(spawner).stage() == Stage::execve);
        CHECK(reports.text() == "yn");
    }
}

TEST_CASE("a step that is to hear of a failed execve needs a child part") {
    SyncedSpawner spawner({.program = "true"});
    CHECK_THROWS_WITH_AS(
        spawner.step({.name = "x", .parent = [](ParentSide&) {}, .exec_failed = [](ChildSide&) {}}),
        "syncspawn: step 'x' is to hear of a failed execve but has no child part",
        std::invalid_argument);
    CHECK_THROWS_WITH_AS(spawner.step({.name = "x", .exec_failed = [](ChildSide&) {}}),
                         "syncspawn: step 'x' has no part", std::invalid_argument);
}

// Errors with another code.

namespace {}  // namespace

TEST_CASE("an error with another code is the same failure, told with that code's text") {
    const std::error_code own(7, own_category);
    SyncedSpawner spawner({.program = "true"});
    std::string before;
    std::string after;
    SUBCASE("of execve") {
        spawner = SyncedSpawner({.program = "/nowhere"});
        before = "execve '/nowhere' in the child: no such file or directory";
        after = "execve '/nowhere' in the child: own error 7";
    }
    SUBCASE("of execve, with a hint") {
        spawner = SyncedSpawner({.program = "no-such-program"});
        before =
            "execve 'no-such-program' in the child: no such file or directory (it is in no "
            "directory "
            "of PATH)";
        after =
            "execve 'no-such-program' in the child: own error 7 (it is in no directory of PATH)";
    }
    SUBCASE("of a call in a part, with an undo that fails") {
        spawner.step({.name = "a",
                      .parent = [](ParentSide&) {},
                      .undo = [](ParentSide& side) { return side.fail(EBUSY, "rmdir"); }});
        spawner.step(
            {.name = "x", .parent = [](ParentSide& side) { return side.fail(EIO, "call"); }});
        const std::string undoing = "; undoing 'a' failed: rmdir: Device or resource busy";
        before = "x in the parent: call: input/output error" + undoing;
        after = "x in the parent: call: own error 7" + undoing;
    }
    SUBCASE("of a preparation") {
        SpawnOptions options{.program = "true"};
        options.birth.cgroup = 987'654;
        spawner = SyncedSpawner(options);
        before = "prepare the launch: descriptor 987654 of the cgroup: bad file descriptor";
        after = "prepare the launch: descriptor 987654 of the cgroup: own error 7";
    }
    SUBCASE("whose text has no code: an exception") {
        spawner.step(
            {.name = "x", .parent = [](ParentSide&) { throw std::runtime_error("thrown"); }});
        before = after = "x in the parent: exception: thrown";
    }
    SUBCASE("whose text has no code: an end") {
        spawner.step({.name = "x", .child = after_fork([](ChildSide&) { _exit(7); })});
        before = after = "the child exited with code 7 in step 'x'";
    }
    const SpawnError error = failure_of(spawner);
    const std::error_code code = error.code();
    REQUIRE(std::string(error.what()) == before);
    const SpawnError other = error.with_code(own);
    CHECK(other.code() == own);
    CHECK(&other.code().category() == &own_category);
    CHECK(std::string(other.what()) == after);
    check_same_but_code(other, error);
    CHECK(draw(other.timeline()) == draw(error.timeline()));
    // The one it was made from is what it was, and so is one that gets the code back.
    CHECK(error.code() == code);
    CHECK(std::string(error.what()) == before);
    CHECK(other.with_code(code).code() == code);
    CHECK(std::string(other.with_code(code).what()) == before);
}
