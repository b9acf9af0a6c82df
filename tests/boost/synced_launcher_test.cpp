#include <syncspawn/boost/synced_launcher.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/strand.hpp>
#include <boost/asio/writable_pipe.hpp>
#include <boost/asio/write.hpp>
#include <boost/utility/string_view.hpp>
#include <boost/version.hpp>
#include <cerrno>
#include <cstdio>
#include <initializer_list>
#include <stdexcept>
#include <string_view>

#include "support/boost.hpp"
#if BOOST_VERSION < 108400
#include <boost/process/v2/impl/environment.ipp>  // #312
#endif

// Our launcher beside posix::default_launcher: the same programs, the same initializers, the same
// results.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// Prints the whole argv of the shell that runs it.
constexpr const char* print_arguments = "tr '\\0' '|' </proc/$$/cmdline";

// The error of a launch by `what()` of the exception.
template <class Launch>
std::string what_of(Launch launch) {
    try {
        (void)launch();
    } catch (const boost::system::system_error& error) {
        return error.what();
    }
    return "no error";
}

template <class, class>
struct FailsAs {
    BoostError on_setup(Stock&, const Path&, const char* const*) { return own_error(4); }
};

bool begins_with(const std::string& text, const std::string& beginning) {
    CAPTURE(text);
    CAPTURE(beginning);
    const bool begins = text.starts_with(beginning);
    CHECK(begins);
    return begins;
}

struct FileCloser {
    void operator()(FILE* file) const noexcept { (void)std::fclose(file); }
};
using File = std::unique_ptr<FILE, FileCloser>;

std::string contents(FILE* file) {
    CHECK(lseek(fileno(file), 0, SEEK_SET) == 0);
    return read_all(fileno(file));
}

}  // namespace

TEST_CASE("a program ends, and writes, as with the stock launcher") {
    CHECK(both([](auto& launcher) { return run(launcher, "/bin/true", Texts{}); }) == "exit 0: ");
    CHECK(both([](auto& launcher) { return run_shell(launcher, "echo text; exit 3"); }) ==
          "exit 3: text\n");
    CHECK(both([](auto& launcher) { return run_shell(launcher, "kill -KILL $$"); }) ==
          "signal 9: ");
    CHECK(both([](auto& launcher) { return run_shell(launcher, "kill -TERM $$"); }) ==
          "signal 15: ");
}

TEST_CASE("the exit code of a process is the same number as with the stock launcher") {
    const auto code_of = [](auto launcher, const std::string& text) {
        asio::io_context context;
        auto process = launcher(context.get_executor(), "/bin/sh", Texts{"-c", text});
        CHECK(process.is_open());
        CHECK(process.id() == launcher.pid);
        return process.wait();
    };
    for (const char* text : {"exit 0", "exit 7", "exit 255", "kill -KILL $$", "kill -SEGV $$"}) {
        CAPTURE(text);
        CHECK(code_of(Ours(), text) == code_of(Stock(), text));
    }
}

TEST_CASE("arguments of every form that the stock launcher takes arrive as they do there") {
    const auto check = [](const auto& arguments, const std::string& expected) {
        CHECK(both([&](auto& launcher) { return run(launcher, "/bin/sh", arguments); }) ==
              "exit 0: " + expected);
    };
    const std::string all = std::string("/bin/sh|-c|") + "tr '\\0' '|' </proc/$$/cmdline|a b|||c|";
    check(Texts{"-c", print_arguments, "a b", "", "", "c"}, all);
    check(std::initializer_list<v2::string_view>{"-c", print_arguments, "a b", "", "", "c"}, all);
    check(std::vector<boost::string_view>{"-c", print_arguments, "a b", "", "", "c"}, all);
    check(std::vector<v2::cstring_ref>{"-c", print_arguments, "a b", "", "", "c"}, all);
    const std::string unterminated = std::string(print_arguments) + " XXX";
    check(
        std::vector<boost::string_view>{
            "-c", {unterminated.data(), unterminated.size() - 4}, "a b", "", "", "c"},
        all);
    check(Texts{}, "");  // a shell that reads /dev/null
}

TEST_CASE("a finished argv is taken with its own argument zero") {
    const char* argv[] = {"zero", "-c", print_arguments, "one", nullptr};
    const std::string expected =
        std::string("exit 0: zero|-c|") + "tr '\\0' '|' </proc/$$/cmdline|one|";
    const auto with = [&](const char** arguments) {
        return both([&](auto& launcher) {
            asio::io_context context;
            asio::readable_pipe output(context);
            auto process = launcher(context.get_executor(), "/bin/sh", arguments,
                                    v2::process_stdio{nullptr, output, {}});
            const std::string text = read_all(output.native_handle());
            process.wait();
            return told_end(process.native_exit_code()) + ": " + text;
        });
    };
    CHECK(with(argv) == expected);
}

TEST_CASE("arguments come in more forms than there, too") {
    const std::string expected =
        std::string("exit 0: /bin/sh|-c|") + "tr '\\0' '|' </proc/$$/cmdline|one|";
    Ours launcher;
    CHECK(run(launcher, "/bin/sh", std::vector<const char*>{"-c", print_arguments, "one"}) ==
          expected);
    CHECK(run(launcher, "/bin/sh", std::vector<std::string_view>{"-c", print_arguments, "one"}) ==
          expected);
    CHECK(run(launcher, "/bin/sh", std::array<Path, 3>{"-c", print_arguments, "one"}) == expected);
    asio::io_context context;
    auto process = launcher(context, "/bin/sh", {"-c", "exit 5"});
    CHECK(process.wait() == 5);
}

TEST_CASE("an initializer may replace argv, as there") {
    struct Replaces {
        BoostError on_setup(Stock&, const Path& exe, const char* const*& argv) {
            CHECK(exe == "/bin/sh");
            CHECK(std::string(argv[0]) == "/bin/sh");
            CHECK(std::string(argv[1]) == "unused");
            CHECK(argv[2] == nullptr);
            argv = replacement;
            return {};
        }
        const char* replacement[4] = {"zero", "-c", "echo $0 replaced", nullptr};
    };
    CHECK(both([](auto& launcher) {
              return run(launcher, "/bin/sh", Texts{"unused"}, Replaces());
          }) == "exit 0: zero replaced\n");
}

TEST_CASE("an initializer may replace argv and environment in the child, as there") {
    struct Replaces {
        BoostError on_exec_setup(Stock& launcher, const Path&, const char* const*& argv) {
            argv = arguments;
            launcher.env = environment;
            return {};
        }
        const char* arguments[4] = {"zero", "-c", "echo $0 $NAME", nullptr};
        const char* environment[2] = {"NAME=value", nullptr};
    };
    CHECK(both([](auto& launcher) {
              return run(launcher, "/bin/sh", Texts{"-c", "echo not replaced"}, Replaces());
          }) == "exit 0: zero value\n");
}

TEST_CASE("the environment is that of the launcher, or of process_environment") {
    SUBCASE("the parent's, by default") {
        setenv("NAME_OF_TEST", "some value", 1);
        CHECK(both([](auto& launcher) { return run_shell(launcher, "echo $NAME_OF_TEST"); }) ==
              "exit 0: some value\n");
        unsetenv("NAME_OF_TEST");
    }
    SUBCASE("that of the launcher") {
        const char* entries[] = {"A=1", "B=x=y", "no equality sign", "A=2", nullptr};
        CHECK(both([&](auto& launcher) {
                  launcher.env = entries;
                  return run(launcher, "/usr/bin/env", Texts{});
              }) == "exit 0: A=1\nB=x=y\nno equality sign\nA=2\n");
    }
    SUBCASE("an empty one") {
        const char* entries[] = {nullptr};
        CHECK(both([&](auto& launcher) {
                  launcher.env = entries;
                  return run(launcher, "/usr/bin/env", Texts{});
              }) == "exit 0: ");
    }
    SUBCASE("that of the initializer") {
        CHECK(both([](auto& launcher) {
                  return run(launcher, "/usr/bin/env", Texts{},
                             v2::process_environment({"A=1", "B="}));
              }) == "exit 0: A=1\nB=\n");
        CHECK(both([](auto& launcher) {
                  const Texts entries{"C=3"};
                  return run(launcher, "/usr/bin/env", Texts{}, v2::process_environment(entries));
              }) == "exit 0: C=3\n");
    }
}

TEST_CASE("process_start_dir is where the program starts, and where its path begins") {
    const TemporaryDirectory directory;
    directory.file("program-of-test", "#!/bin/sh\necho found; pwd\n", 0755);
    const auto in_directory = [&](const Path& exe) {
        return both([&](auto& launcher) {
            return run(launcher, exe, Texts{}, v2::process_start_dir(directory.path()));
        });
    };
    const std::string expected = "exit 0: found\n" + directory.path() + "\n";
    CHECK(in_directory("/bin/pwd") == "exit 0: " + directory.path() + "\n");
    CHECK(in_directory("./program-of-test") == expected);
    // Not looked up in PATH: that of the working directory is meant.
    CHECK(in_directory("program-of-test") == expected);
    CHECK(in_directory("true") == "system 2");
    CHECK(both([](auto& launcher) {
              return run(launcher, "/bin/true", Texts{}, v2::process_start_dir("/nowhere"));
          }) == "system 2");
}

TEST_CASE("process_stdio binds pipes") {
    CHECK(both([](auto& launcher) {
              asio::io_context context;
              asio::writable_pipe input(context);
              asio::readable_pipe output(context);
              asio::readable_pipe errors(context);
              auto process =
                  launcher(context.get_executor(), "/bin/sh", Texts{"-c", "cat; echo error >&2"},
                           v2::process_stdio{input, output, errors});
              asio::write(input, asio::buffer("through", 7));
              input.close();
              std::string text =
                  read_all(output.native_handle()) + "|" + read_all(errors.native_handle());
              process.wait();
              return text;
          }) == "through|error\n");
}

TEST_CASE("process_stdio binds files, descriptors, streams and nothing") {
    const TemporaryDirectory directory;
    const std::string input = directory.file("input", "through", 0600);
    const Texts cat{"-c", "cat; echo error >&2"};
    SUBCASE("a path") {
        CHECK(both([&](auto& launcher) {
                  const std::string output = directory.file("output", "", 0600);
                  const std::string errors = directory.file("errors", "", 0600);
                  const std::string end =
                      end_of(launcher, "/bin/sh", cat,
                             v2::process_stdio{Path(input), Path(output), Path(errors)});
                  return end + ":" + read_file(output) + "|" + read_file(errors);
              }) == "exit 0:through|error\n");
    }
    SUBCASE("a stream, and the same one twice") {
        CHECK(both([&](auto& launcher) {
                  const File from(std::fopen(input.c_str(), "re"));
                  const File to(std::tmpfile());
                  const std::string end = end_of(launcher, "/bin/sh", cat,
                                                 v2::process_stdio{from.get(), to.get(), to.get()});
                  return end + ":" + contents(to.get());
              }) == "exit 0:througherror\n");
    }
    SUBCASE("a descriptor, with or without its close-on-exec flag") {
        for (const int flag : {0, O_CLOEXEC}) {
            CHECK(both([&](auto& launcher) {
                      const UniqueFd from(open(input.c_str(), O_RDONLY | flag));
                      const File to(std::tmpfile());
                      const std::string end =
                          end_of(launcher, "/bin/sh", cat,
                                 v2::process_stdio{from.get(), fileno(to.get()), nullptr});
                      return end + ":" + contents(to.get());
                  }) == "exit 0:through");
        }
    }
    SUBCASE("nullptr, which is /dev/null") {
        CHECK(both([&](auto& launcher) {
                  const File to(std::tmpfile());
                  const Texts names{"/proc/self/fd/0", "/proc/self/fd/2"};
                  const std::string end =
                      end_of(launcher, "/bin/readlink", names,
                             v2::process_stdio{nullptr, fileno(to.get()), nullptr});
                  return end + ":" + contents(to.get());
              }) == "exit 0:/dev/null\n/dev/null\n");
    }
    SUBCASE("a path that is not there is an error of the launch") {
        CHECK(both([&](auto& launcher) {
                  return end_of(launcher, "/bin/true", Texts{},
                                v2::process_stdio{Path("/nowhere/x"), nullptr, nullptr});
              }) == "system 9");
    }
    SUBCASE("by default it is the parent's") {
        Peer peer([&] {
            const UniqueFd from(open(input.c_str(), O_RDONLY | O_CLOEXEC));
            expect(dup2(from.get(), 0) == 0);
            asio::io_context context;
            asio::readable_pipe output(context);
            auto process = Ours()(context, "/bin/cat", {}, v2::process_stdio{{}, output, {}});
            expect_same(read_all(output.native_handle()).c_str(), "through");
            expect(process.wait() == 0);
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

// Ours alone: posix::bind_fd cannot be used with the stock launcher of 1.81.
TEST_CASE("bind_fd gives the program a descriptor beside the streams") {
    const TemporaryDirectory directory;
    const std::string named = directory.file("named", "through", 0600);
    const UniqueFd from(open(named.c_str(), O_RDONLY | O_CLOEXEC));
    const File stream(std::fopen(named.c_str(), "re"));
    Ours launcher;
    const std::string reader = helper("launch_descriptors");
    CHECK(run(launcher, reader, Texts{"7"}, v2::posix::bind_fd(7, from.get())) ==
          "exit 0: through 0 1 2 7 ");
    CHECK(run(launcher, reader, Texts{"30"}, v2::posix::bind_fd(30, Path(named))) ==
          "exit 0: through 0 1 2 30 ");
    CHECK(run(launcher, reader, Texts{"8"}, v2::posix::bind_fd(8, stream.get())) ==
          "exit 0: through 0 1 2 8 ");
    const UniqueFd same(open(named.c_str(), O_RDONLY));
    CHECK(
        run(launcher, reader, Texts{std::to_string(same.get())}, v2::posix::bind_fd(same.get())) ==
        "exit 0: through 0 1 2 " + std::to_string(same.get()) + " ");
}

TEST_CASE("a program that cannot be executed is the same error as with the stock launcher") {
    const TemporaryDirectory directory;
    const auto error_of = [](const Path& exe) {
        CAPTURE(exe.native());
        return both([&](auto& launcher) { return end_of(launcher, exe, Texts{"x"}); });
    };
    CHECK(error_of("/nowhere") == "system 2");
    CHECK(error_of("nowhere") == "system 2");
    CHECK(error_of("nowhere/nothing") == "system 2");
    CHECK(error_of("/bin/true/nothing") == "system 20");
    CHECK(error_of(directory.path()) == "system 13");
    CHECK(error_of(directory.file("not-executable", "#!/bin/sh\n", 0600)) == "system 13");
    CHECK(error_of(directory.file("no-format", "text\n", 0700)) == "system 8");
    CHECK(error_of(directory.file("no-interpreter", "#!/nowhere\n", 0700)) == "system 2");
    CHECK(error_of("/" + std::string(300, 'x')) == "system 36");
    CHECK(error_of("/" + std::string(5000, 'x')) == "system 36");
}

TEST_CASE("a path that is empty is the same error as with the stock launcher") {
    CHECK(both([](auto& launcher) { return end_of(launcher, "", Texts{"x"}); }) == "system 2");
}

TEST_CASE("arguments beyond the system's limit are the same error as with the stock launcher") {
    const Texts too_long{std::string(1 << 20, 'x')};
    CHECK(both([&](auto& launcher) { return end_of(launcher, "/bin/true", too_long); }) ==
          "system 7");
}

TEST_CASE("every overload makes the same type of process as the stock launcher's") {
    asio::io_context context;
    BoostError error = own_error(1);
    Ours launcher;
    const auto check_process = [](auto process, auto& where) {
        static_assert(
            std::is_same_v<decltype(process), decltype(Stock()(where, Path("/bin/sh"), Texts{}))>);
        CHECK(process.wait() == 3);
    };
    const Texts arguments{"-c", "exit 3"};
    check_process(launcher(context, "/bin/sh", arguments), context);
    check_process(launcher(context, error, "/bin/sh", arguments), context);
    CHECK_FALSE(error);  // cleared by a success
    CHECK_FALSE(launcher.error());
    auto executor = context.get_executor();
    check_process(launcher(executor, "/bin/sh", arguments), executor);
    check_process(launcher(context.get_executor(), error, "/bin/sh", arguments), executor);
    asio::any_io_executor any = executor;
    check_process(launcher(any, "/bin/sh", arguments), any);
    auto strand = asio::make_strand(context);
    check_process(launcher(strand, "/bin/sh", {"-c", "exit 3"}), strand);
    v2::process process = launcher(context, "/bin/sh", {"-c", "exit 4"});
    CHECK(process.wait() == 4);
}

TEST_CASE("an overload with an error code never throws, and one without tells side and step") {
    asio::io_context context;
    BoostError error;
    Ours launcher;
    CHECK_FALSE(launcher(context, error, "/nowhere", {}).is_open());
    CHECK(told(error) == "system 2");
    CHECK_FALSE(launcher(context.get_executor(), error, "/nowhere", {}).is_open());
    CHECK(told(error) == "system 2");
    CHECK(launcher.error().side() == WhichSide::child);
    CHECK(launcher.error().stage() == Stage::execve);

    const auto program = [&](auto&&... initializers) {
        return what_of([&] { return launcher(context, "/bin/true", {}, initializers...); });
    };
    CHECK(what_of([&] { return launcher(context, "/nowhere", {}); }) ==
          "execve '/nowhere' in the child: no such file or directory");
    CHECK(what_of([&] { return launcher(context.get_executor(), "/nowhere", {}); }) ==
          "execve '/nowhere' in the child: no such file or directory");
    CHECK(launcher.error().step() == "execve '/nowhere'");
    CHECK(program(v2::process_start_dir("/nowhere")) ==
          "initializers in the child: on_exec_setup of process_start_dir '/nowhere': "
          "no such file or directory");
    struct FailsInSetup {
        BoostError on_setup(Stock&, const Path&, const char* const*) { return own_error(1); }
    };
    CHECK(program(FailsInSetup()) == "prepare the launch: on_setup of FailsInSetup: own error 1");
    struct FailsInWaiting {
        BoostError on_child_waiting(Stock&, const Path&, const char* const*) {
            return own_error(2);
        }
    };
    CHECK(program(FailsInWaiting()) ==
          "initializers in the parent: on_child_waiting of FailsInWaiting: own error 2");
    struct FailsInExecSetup {
        BoostError on_exec_setup(Stock&, const Path&, const char* const*) { return own_error(3); }
    };
    CHECK(program(FailsInExecSetup()) ==
          "initializers in the child: on_exec_setup of FailsInExecSetup: own error 3");
    const auto of_template = [&]<class Type>(Type) { return program(FailsAs<Type, int>()); };
    CHECK(of_template(std::vector<FailsInSetup>()).ends_with(": own error 4"));
    CHECK(program(FailsAs<char, int>()) ==
          "prepare the launch: on_setup of FailsAs<char, int>: own error 4");
    // What has no room is cut, not written.
    CHECK(program(v2::process_start_dir("/" + std::string(300, 'x')))
              .starts_with("initializers in the child: on_exec_setup of process_start_dir '/xxx"));
    CHECK(program() == "no error");
    CHECK_FALSE(launcher.error());
    launcher.step(
        {.name = "uid map", .parent = [](ParentSide& side) { return side.fail(EPERM, "write"); }});
    begins_with(program(), "uid map in the parent: write: operation not permitted");
}

TEST_CASE("what a launcher throws tells side, step and hint, also when the launcher is gone") {
    asio::io_context context;
    try {
        (void)Ours()(context, "/nowhere", {});
        CHECK(false);
    } catch (const syncspawn::for_boost::LaunchError& failure) {
        CHECK(failure.code() == system_error_code(ENOENT));
        CHECK(failure.error().stage() == Stage::execve);
        CHECK(std::string(failure.what()) == failure.error().what());
    }
}
