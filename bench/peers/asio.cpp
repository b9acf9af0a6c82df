// Launches from an event loop of Asio: Boost.Process's launcher and ours, side by side in one process.

#include <boost/asio/io_context.hpp>
#include <memory>
#include <vector>

#include <syncspawn/boost.hpp>

#include "../machine.hpp"
#include "../worker.hpp"

namespace {

namespace asio = boost::asio;
namespace v2 = boost::process::v2;
using syncspawn::bench::expect;
using syncspawn::bench::Method;

constexpr int in_flight = 64;

// One launch of a kind: begins it and lets the context run until the program is reaped.
struct Loop {
    asio::io_context context{1};
    std::string program;

    template <class Begin>
    void run(int count, Begin begin) {
        int succeeded = 0;
        for (int index = 0; index < count; ++index) {
            begin(succeeded);
        }
        context.restart();
        context.run();
        expect(succeeded == count, "a launch did not succeed");
    }
};

using Process = v2::basic_process<asio::io_context::executor_type>;

// The handler keeps its process.
template <class Launcher, class Wait>
void launch(Loop& loop, Launcher& launcher, int count, Wait wait) {
    loop.run(count, [&](int& succeeded) {
        const std::vector<std::string> no_arguments;
        auto child = std::make_unique<Process>(
            launcher(loop.context.get_executor(), loop.program, no_arguments));
        Process& process = *child;
        wait(process,
             [&succeeded, child = std::move(child)](boost::system::error_code error, int code) {
                 succeeded += !error && code == 0 ? 1 : 0;
             });
    });
}

void launch_by_stock(Loop& loop, int count) {
    // A launcher object of theirs launches once.
    const auto launcher = [](auto executor, const auto& program, const auto& arguments) {
        return v2::posix::default_launcher()(executor, program, arguments);
    };
    launch(loop, launcher, count,
           [](Process& process, auto handler) { process.async_wait(std::move(handler)); });
}

void launch_by_synced(Loop& loop, syncspawn::for_boost::SyncedLauncher& launcher, int count) {
    launch(loop, launcher, count, [](Process& process, auto handler) {
        syncspawn::for_boost::async_wait_exit(process, std::move(handler));
    });
}

void launch_by_async_spawn(Loop& loop, const syncspawn::SyncedSpawner& spawner, int count) {
    loop.run(count, [&](int& succeeded) {
        syncspawn::for_boost::async_spawn(
            loop.context, spawner,
            [&](const std::exception_ptr& failure, syncspawn::Process started) {
                expect(failure == nullptr, "async_spawn failed");
                auto child = std::make_unique<syncspawn::Process>(std::move(started));
                syncspawn::Process& process = *child;
                syncspawn::for_boost::async_wait_exit(
                    loop.context, process,
                    [&succeeded, child = std::move(child)](boost::system::error_code error,
                                                           syncspawn::ExitStatus status) {
                        succeeded += !error && status == syncspawn::ExitStatus::exited(0) ? 1 : 0;
                    });
            });
    });
}

}  // namespace

int main(int argc, char** argv) {
    return syncspawn::bench::serve(argc, argv, [](const std::string& program) {
        auto loop = std::make_shared<Loop>();
        loop->program = program;
        auto launcher = std::make_shared<syncspawn::for_boost::SyncedLauncher>();
        const syncspawn::SyncedSpawner spawner({.program = program});
        std::vector<Method> methods;
        for (const int count : {1, in_flight}) {
            const std::string suffix = count == 1 ? "" : "_" + std::to_string(count);
            methods.push_back({"stock" + suffix, [=] { launch_by_stock(*loop, count); }});
            methods.push_back(
                {"synced_launcher" + suffix, [=] { launch_by_synced(*loop, *launcher, count); }});
            methods.push_back(
                {"async_spawn" + suffix, [=] { launch_by_async_spawn(*loop, spawner, count); }});
        }
        return methods;
    });
}
