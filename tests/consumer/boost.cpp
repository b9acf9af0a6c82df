#include <boost/asio/io_context.hpp>

#include <syncspawn/boost.hpp>

// Beside it `boost` still means Boost.
using namespace syncspawn;

int main() {
    boost::asio::io_context context;
    for_boost::SyncedLauncher launcher;
    auto child = launcher(context, "/bin/sh", {"-c", "exit 42"});
    int code = -1;
    for_boost::async_wait_exit(child, [&](boost::system::error_code error, int its_code) {
        code = error ? -1 : its_code;
    });
    context.run();
    return code == 42 ? 0 : 1;
}
