// A server that launches a worker in its own user namespace for each connection: with handlers.
//
// usage: asio_server WORKER [PORT]      without a port: serves one client of its own, and ends
#include <array>
#include <boost/asio.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <syncspawn/boost.hpp>
#include <syncspawn/steps.hpp>

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

syncspawn::SyncedSpawner worker_spawner(const char* program) {
    syncspawn::SyncedSpawner spawner({.program = program,
                                      .streams = {.output = syncspawn::Stdio::pipe()},
                                      .birth = {.namespaces = syncspawn::Namespaces::user},
                                      .readiness = {.within = 5s}});
    // It waits in its new namespace until the maps are written.
    return spawner.step(syncspawn::steps::map_root());
}

// One client and its worker. Its handlers keep it alive.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    explicit Connection(tcp::socket client) : client_(std::move(client)) {}

    void start(const syncspawn::SyncedSpawner& spawner) {
        syncspawn::for_boost::async_spawn(
            client_.get_executor(), spawner,
            [self = shared_from_this()](const std::exception_ptr& failure,
                                        syncspawn::Process worker) {
                if (failure) {  // which side failed in which step, and why
                    const auto error = syncspawn::for_boost::spawn_error_of(failure);
                    std::fprintf(stderr, "server: %s\n", error.what());
                    return;
                }
                self->worker_ = std::move(worker);
                self->output_.emplace(self->client_.get_executor(),
                                      self->worker_.take_standard_output().release());
                self->stream();
                self->wait_until_enough();
            });
    }

private:
    // Gives the client what the worker says, until that has ended.
    void stream() {
        output_->async_read_some(
            asio::buffer(text_), [self = shared_from_this()](error_code error, std::size_t size) {
                if (error) {
                    self->client_.close();
                    return;
                }
                asio::async_write(self->client_, asio::buffer(self->text_, size),
                                  [self](error_code, std::size_t) { self->stream(); });
            });
    }

    // A client that sends anything, or nothing any more, has heard enough: the worker is told to end,
    // and if it does not, it is killed.
    void wait_until_enough() {
        client_.async_receive(asio::buffer(&nothing_, 1), [self = shared_from_this()](error_code,
                                                                                      std::size_t) {
            self->worker_.signal(SIGTERM);
            syncspawn::for_boost::async_wait_exit(
                self->client_.get_executor(), self->worker_, std::chrono::steady_clock::now() + 2s,
                [self](error_code late, syncspawn::ExitStatus status) {
                    status = late ? self->worker_.kill() : status;
                    std::printf("server: the worker %s\n", status.to_string().c_str());
                });
        });
    }

    tcp::socket client_;
    syncspawn::Process worker_;
    std::optional<asio::readable_pipe> output_;
    std::array<char, 4096> text_{};
    char nothing_ = 0;
};

void accept(tcp::acceptor& acceptor, const syncspawn::SyncedSpawner& spawner, bool goes_on) {
    acceptor.async_accept([&, goes_on](error_code error, tcp::socket client) {
        if (!error) {
            std::make_shared<Connection>(std::move(client))->start(spawner);
        }
        if (goes_on) {
            accept(acceptor, spawner, goes_on);
        }
    });
}

// Hears one line, says that it is enough, and hears the rest.
bool be_a_client(const tcp::endpoint& server) {
    asio::io_context context;
    tcp::socket socket(context);
    socket.connect(server);
    std::string text;
    error_code end;
    asio::read_until(socket, asio::dynamic_buffer(text), '\n', end);
    std::printf("client: %s", text.substr(0, text.find('\n') + 1).c_str());
    socket.shutdown(tcp::socket::shutdown_send);
    asio::read(socket, asio::dynamic_buffer(text), end);
    return text.ends_with("goodbye\n");
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 2 && argc != 3) {
        std::fprintf(stderr, "usage: asio_server WORKER [PORT]\n");
        return 2;
    }
    const int port = argc == 3 ? std::stoi(argv[2]) : 0;
    asio::io_context context;
    const syncspawn::SyncedSpawner spawner = worker_spawner(argv[1]);
    tcp::acceptor acceptor(
        context, {asio::ip::address_v4::loopback(), static_cast<asio::ip::port_type>(port)});
    accept(acceptor, spawner, port != 0);
    bool was_served = false;
    std::jthread client;
    if (port == 0) {
        client = std::jthread([&] { was_served = be_a_client(acceptor.local_endpoint()); });
    }
    context.run();
    if (client.joinable()) {
        client.join();
    }
    return was_served ? 0 : 1;
} catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
}
