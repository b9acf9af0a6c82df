// Runs shell commands, three at a time, and prints what each of them wrote.
//
// usage: asio_commands [COMMAND...]
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <queue>
#include <string>

#include <syncspawn/boost.hpp>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using syncspawn::KillScope;
using syncspawn::for_boost::async_run;

static int failures = 0;

// Takes one command after the other. What a command leaves running ends with it.
static asio::awaitable<void> work_off(std::queue<std::string>& commands) {
    const auto executor = co_await asio::this_coro::executor;
    const syncspawn::RunOptions options{.within = 10s};
    while (!commands.empty()) {
        const std::string command = commands.front();
        commands.pop();
        const syncspawn::SyncedSpawner shell({.program = "sh",
                                              .arguments = {"-c", command},
                                              .ending = {.scope = KillScope::session}});
        const auto result = co_await async_run(executor, shell, options, asio::use_awaitable);
        std::printf("%s: %s%s\n%s%s", command.c_str(), result.status.to_string().c_str(),
                    result.is_late() ? ", for it took too long" : "", result.output.c_str(),
                    result.error.c_str());
        failures += result.success() ? 0 : 1;
    }
}

int main(int argc, char** argv) try {
    std::queue<std::string> commands;
    for (int number = 1; number < argc; ++number) {
        commands.emplace(argv[number]);
    }
    if (argc == 1) {
        commands =
            std::queue<std::string>({"uname -s", "echo hello | tr a-z A-Z", "sleep 0.1", "id -u"});
    }
    asio::io_context context;
    for (int worker = 0; worker < 3; ++worker) {
        asio::co_spawn(context, work_off(commands), [](const std::exception_ptr& failure) {
            if (failure != nullptr) {
                std::rethrow_exception(failure);  // out of context.run()
            }
        });
    }
    context.run();
    return failures == 0 ? 0 : 1;
} catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
}
