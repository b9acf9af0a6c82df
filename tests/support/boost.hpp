#pragma once

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/process/v2/environment.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include <syncspawn/boost.hpp>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/shared.hpp"

// What the tests of the layer boost have in common.

namespace syncspawn::testing {

namespace asio = boost::asio;
namespace v2 = boost::process::v2;

using BoostError = boost::system::error_code;
using Stock = v2::posix::default_launcher;
using Ours = syncspawn::for_boost::SyncedLauncher;
using Path = v2::filesystem::path;
using Texts = std::vector<std::string>;

inline std::string helper(const std::string& name) { return SYNCSPAWN_TEST_HELPERS "/" + name; }

inline BoostError system_error_code(int error) { return {error, boost::system::system_category()}; }

// "CATEGORY VALUE".
inline std::string told(const BoostError& error) {
    return std::string(error.category().name()) + " " + std::to_string(error.value());
}

// "exit CODE" or "signal NUMBER".
inline std::string told_end(int wait_status) {
    return WIFEXITED(wait_status) ? "exit " + std::to_string(WEXITSTATUS(wait_status))
                                  : "signal " + std::to_string(WTERMSIG(wait_status));
}

// After a failed launch by the stock library, which forgets the child up to 1.87.
template <class Launcher>
void reap_what_is_left(const Launcher& launcher) {
    if (std::is_same_v<Launcher, Stock> && launcher.pid > 0) {
        waitpid(launcher.pid, nullptr, 0);
    }
}

// Launches and waits for the end; says how that was, or with which error the launch failed.
template <class Launcher, class Arguments, class... Initializers>
std::string end_of(Launcher& launcher, const Path& exe, const Arguments& arguments,
                   Initializers&&... initializers) {
    asio::io_context context;
    BoostError error;
    (void)std::fflush(stdout);  // a stock child that fails leaves by exit(3)
    auto process = launcher(context.get_executor(), error, exe, arguments, initializers...);
    if (error) {
        reap_what_is_left(launcher);
        return told(error);
    }
    process.wait();
    return told_end(process.native_exit_code());
}

// The same with a pipe as standard output (and /dev/null as input) before the initializers, and
// "END: OUTPUT".
template <class Launcher, class Arguments, class... Initializers>
std::string run(Launcher& launcher, const Path& exe, const Arguments& arguments,
                Initializers&&... initializers) {
    asio::io_context context;
    asio::readable_pipe output(context);
    BoostError error;
    (void)std::fflush(stdout);
    auto process = launcher(context.get_executor(), error, exe, arguments,
                            v2::process_stdio{nullptr, output, {}}, initializers...);
    if (error) {
        reap_what_is_left(launcher);
        return told(error);
    }
    const std::string text = read_all(output.native_handle());
    process.wait();
    return told_end(process.native_exit_code()) + ": " + text;
}

// "/bin/sh -c TEXT".
template <class Launcher, class... Initializers>
std::string run_shell(Launcher& launcher, const std::string& text, Initializers&&... initializers) {
    return run(launcher, "/bin/sh", Texts{"-c", text}, initializers...);
}

// What two launchers do alike: that of the stock library and ours, each fresh.
template <class Launch>
std::string both(Launch launch) {
    Stock stock;
    Ours ours;
    const std::string expected = launch(stock);
    std::string actual = launch(ours);
    CHECK(actual == expected);
    return actual;
}

// What happened on either side of a launch, in order. Both sides write; their order is the launch's.
class Log {
public:
    // "side:name "
    void add(const std::string& name) {
        append((getpid() == parent_ ? "parent:" : "child:") + name + " ");
    }
    std::string text() const { return {content_->text, content_->size}; }
    void clear() { content_->size = 0; }

private:
    struct Content {
        std::atomic<std::size_t> size{0};
        char text[2000];
    };
    void append(const std::string& entry) {
        const std::size_t at = content_->size.fetch_add(entry.size());
        if (at + entry.size() <= sizeof content_->text) {
            std::copy(entry.begin(), entry.end(), content_->text + at);
        }
    }

    Shared<Content> content_;
    pid_t parent_ = getpid();
};

// An error category that is no errno's. That of Boost has no virtual destructor.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor)
class OwnBoostCategory final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "own"; }
    std::string message(int value) const override { return "own error " + std::to_string(value); }
};
#pragma GCC diagnostic pop
inline const OwnBoostCategory own_boost_category;
inline BoostError own_error(int value) { return {value, own_boost_category}; }

}  // namespace syncspawn::testing
