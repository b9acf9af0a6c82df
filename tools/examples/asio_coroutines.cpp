// A server that launches a worker in its own user namespace for each connection: with coroutines.
//
// usage: asio_coroutines WORKER [PORT]      without a port: serves three clients of its own, and ends
#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <limits>
#include <string>

#include <syncspawn/boost.hpp>
#include <syncspawn/steps.hpp>

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;
using asio::experimental::awaitable_operators::operator||;  // NOLINT(misc-unused-using-decls)
constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);

syncspawn::SyncedSpawner worker_spawner(const char* program) {
    syncspawn::SyncedSpawner spawner({.program = program,
                                      .streams = {.output = syncspawn::Stdio::pipe()},
                                      .birth = {.namespaces = syncspawn::Namespaces::user},
                                      .readiness = {.within = 5s}});
    // It waits in its new namespace until the maps are written.
    return spawner.step(syncspawn::steps::map_root());
}

// Gives the client what the worker says, until one of them has gone.
asio::awaitable<void> stream(asio::readable_pipe& from, tcp::socket& to) {
    std::string text(4096, '\0');
    for (;;) {
        const auto [error, size] = co_await from.async_read_some(asio::buffer(text), as_tuple);
        if (error) {
            co_return;
        }
        co_await asio::async_write(to, asio::buffer(text, size), as_tuple);
    }
}

// A client that sends anything, or nothing any more, has heard enough.
asio::awaitable<void> wait_until_enough(tcp::socket& client) {
    char nothing = 0;
    co_await client.async_receive(asio::buffer(&nothing, 1), as_tuple);
}

// Tells it to end, and if it does not, sees to that.
asio::awaitable<syncspawn::ExitStatus> end_gracefully(syncspawn::Process& worker) {
    worker.signal(SIGTERM);
    const auto deadline = std::chrono::steady_clock::now() + 2s;
    const auto [error, status] = co_await syncspawn::for_boost::async_wait_exit(
        co_await asio::this_coro::executor, worker, deadline, as_tuple);
    co_return error ? worker.kill() : status;
}

asio::awaitable<void> serve(tcp::socket client, const syncspawn::SyncedSpawner& spawner) {
    const auto executor = co_await asio::this_coro::executor;
    try {
        // Throws SpawnError, which says which side failed in which step, and why.
        syncspawn::Process worker =
            co_await syncspawn::for_boost::async_spawn(executor, spawner, asio::use_awaitable);
        asio::readable_pipe output(executor, worker.take_standard_output().release());
        co_await (stream(output, client) || wait_until_enough(client));
        const syncspawn::ExitStatus status = co_await end_gracefully(worker);
        co_await stream(output, client);  // its last words
        std::printf("server: the worker %s\n", status.to_string().c_str());
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "server: %s\n", failure.what());
    }
}

asio::awaitable<void> accept(tcp::acceptor& acceptor, int count,
                             const syncspawn::SyncedSpawner& spawner) {
    for (; count > 0; --count) {
        tcp::socket client = co_await acceptor.async_accept(asio::use_awaitable);
        asio::co_spawn(acceptor.get_executor(), serve(std::move(client), spawner), asio::detached);
    }
}

// Hears three lines, says that it is enough, and hears the rest.
asio::awaitable<void> be_a_client(tcp::endpoint server, int& content) {
    tcp::socket socket(co_await asio::this_coro::executor);
    co_await socket.async_connect(server, asio::use_awaitable);
    std::string text;
    for (int line = 0; line < 3; ++line) {
        const std::size_t end = co_await asio::async_read_until(socket, asio::dynamic_buffer(text),
                                                                '\n', asio::use_awaitable);
        std::printf("client: %.*s\n", static_cast<int>(end - 1), text.c_str());
        text.erase(0, end);
    }
    socket.shutdown(tcp::socket::shutdown_send);
    co_await asio::async_read(socket, asio::dynamic_buffer(text), as_tuple);
    content += text.ends_with("goodbye\n") ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 2 && argc != 3) {
        std::fprintf(stderr, "usage: asio_coroutines WORKER [PORT]\n");
        return 2;
    }
    constexpr int own_clients = 3;
    const int port = argc == 3 ? std::stoi(argv[2]) : 0;
    asio::io_context context;
    const syncspawn::SyncedSpawner spawner = worker_spawner(argv[1]);
    tcp::acceptor acceptor(
        context, {asio::ip::address_v4::loopback(), static_cast<asio::ip::port_type>(port)});
    const int clients = port == 0 ? own_clients : std::numeric_limits<int>::max();
    asio::co_spawn(context, accept(acceptor, clients, spawner), asio::detached);
    int content = 0;
    for (int client = 0; port == 0 && client < own_clients; ++client) {
        asio::co_spawn(context, be_a_client(acceptor.local_endpoint(), content), asio::detached);
    }
    context.run();
    return content == own_clients ? 0 : 1;
} catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
}
