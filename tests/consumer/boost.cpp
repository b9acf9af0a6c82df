#include <boost/asio/io_context.hpp>

#include <syncspawn/boost.hpp>

int main() {
    boost::asio::io_context context;
    syncspawn::boost::SyncedLauncher launcher;
    auto child = launcher(context, "/bin/sh", {"-c", "exit 42"});
    int code = -1;
    syncspawn::boost::async_wait_exit(child, [&](boost::system::error_code error, int its_code) {
        code = error ? -1 : its_code;
    });
    context.run();
    return code == 42 ? 0 : 1;
}
