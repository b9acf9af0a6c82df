#define DOCTEST_CONFIG_IMPLEMENT
// With doctest's own signal handlers a forked child that aborts would report it as the parent's crash.
#define DOCTEST_CONFIG_NO_POSIX_SIGNALS
#include <doctest/doctest.h>

#include <atomic>
#include <iostream>

#include "support/skip.hpp"

// The main function of every test program. Beyond doctest's own, a test case that checks nothing fails,
// and a program in which every case was left out ends with the status that CTest takes for "skipped".

namespace syncspawn::testing {
namespace {

constexpr int status_skipped = 77;  // SKIP_RETURN_CODE in cmake/SyncspawnTest.cmake

// What the cases of this program came to. A case runs once for each of its subcases.
struct Runs {
    int checked = 0;
    int left_out = 0;
    int empty = 0;
    bool current_is_left_out = false;
};
Runs runs;

// Told by doctest of each run of a case.
class Listener final : public doctest::IReporter {
public:
    explicit Listener(const doctest::ContextOptions& /*options*/) {}

    void report_query(const doctest::QueryData& /*query*/) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats& /*stats*/) override {}
    void test_case_start(const doctest::TestCaseData& current) override {
        name_ = current.m_name;
        has_failed_ = false;
        start_run();
    }
    void test_case_reenter(const doctest::TestCaseData& /*current*/) override {
        end_run();
        start_run();
    }
    void test_case_end(const doctest::CurrentTestCaseStats& /*stats*/) override { end_run(); }
    void test_case_exception(const doctest::TestCaseException& /*exception*/) override {
        has_failed_ = true;
    }
    void subcase_start(const doctest::SubcaseSignature& /*signature*/) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData& /*data*/) override { has_asserted_ = true; }
    void log_message(const doctest::MessageData& /*data*/) override {}
    void test_case_skipped(const doctest::TestCaseData& /*current*/) override {}

private:
    void start_run() {
        has_asserted_ = false;
        runs.current_is_left_out = false;
    }
    void end_run() const {
        if (runs.current_is_left_out) {
            ++runs.left_out;
        } else if (has_asserted_ || has_failed_) {
            ++runs.checked;
        } else {
            ++runs.empty;
            std::cout << "FAILED: \"" << name_
                      << "\" has checked nothing; what cannot be tested here is for SKIP_TEST\n";
        }
    }

    const char* name_ = "";
    std::atomic<bool> has_asserted_ = false;  // asserted by any thread
    bool has_failed_ = false;
};

}  // namespace

void leave_out(const std::string& reason) {
    runs.current_is_left_out = true;
    std::cout << "SKIP-REASON: " << reason << std::endl;
}

}  // namespace syncspawn::testing

// log_assert is told of successes, too, only of a listener that is registered.
REGISTER_LISTENER("every_case_asserts", 1, syncspawn::testing::Listener);

int main(int argc, char** argv) {
    using syncspawn::testing::runs;
    doctest::Context context(argc, argv);
    const int result = context.run();
    if (context.shouldExit() || result != 0) {
        return result;
    }
    if (runs.empty > 0) {
        return 1;
    }
    return runs.checked == 0 && runs.left_out > 0 ? syncspawn::testing::status_skipped : 0;
}
