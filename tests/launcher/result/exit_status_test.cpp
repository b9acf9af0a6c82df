#include <syncspawn/launcher/exit_status.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <type_traits>

using namespace syncspawn;

TEST_CASE(
    "a status of which nothing is said is unknown, so that it can be the result of a coroutine") {
    static_assert(std::is_nothrow_default_constructible_v<ExitStatus>);
    CHECK(ExitStatus() == ExitStatus::unknown());
    CHECK(ExitStatus().kind() == ExitStatus::Kind::unknown);
}

TEST_CASE("a status is told in words, as code and signal, and as a shell would") {
    struct Row {
        const char* text;
        ExitStatus status;
        int code;
        int signal;
        int shell_code;
    };
    const Row rows[] = {
        {"exited with code 0", ExitStatus::exited(0), 0, 0, 0},
        {"exited with code 3", ExitStatus::exited(3), 3, 0, 3},
        {"killed by SIGTERM", ExitStatus::killed(SIGTERM), -1, SIGTERM, 143},
        {"killed by SIGSEGV (core dumped)", ExitStatus::killed(SIGSEGV, true), -1, SIGSEGV, 139},
        {"ended; somebody else took its status", ExitStatus::unknown(), -1, 0, 125},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        CHECK(row.status.to_string() == row.text);
        CHECK(row.status.code() == row.code);
        CHECK(row.status.signal() == row.signal);
        CHECK(row.status.shell_code() == row.shell_code);
        CHECK(row.status.success() == (row.shell_code == 0));
    }
}

TEST_CASE("every signal has a name") {
    CHECK(signal_name(SIGHUP) == "SIGHUP");
    CHECK(signal_name(SIGABRT) == "SIGABRT");
    CHECK(signal_name(SIGKILL) == "SIGKILL");
    CHECK(signal_name(SIGSYS) == "SIGSYS");
    CHECK(signal_name(SIGRTMIN) == "SIGRTMIN");
    CHECK(signal_name(SIGRTMIN + 1) == "SIGRTMIN+1");
    CHECK(signal_name(0) == "signal 0");
    CHECK(signal_name(99) == "signal 99");
    for (int signal = 1; signal < 32; ++signal) {
        CHECK(signal_name(signal).starts_with("SIG"));
    }
}
