// A program of Boost.Process v2, before and after: `launch_before` is what its manual shows.
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/stdio.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include <syncspawn/boost.hpp>

namespace asio = boost::asio;
namespace v2 = boost::process::v2;

static v2::process launch_before(asio::io_context& context, asio::readable_pipe& output) {
    return v2::process(context, "/bin/echo", {"hello"}, v2::process_stdio{{}, output, {}});
}

static v2::process launch_after(asio::io_context& context, asio::readable_pipe& output) {
    syncspawn::for_boost::SyncedLauncher launcher;
    return launcher(context, "/bin/echo", {"hello"}, v2::process_stdio{{}, output, {}});
}

static std::string output_of(v2::process (*launch)(asio::io_context&, asio::readable_pipe&)) {
    asio::io_context context;
    asio::readable_pipe output(context);
    v2::process child = launch(context, output);
    std::string text;
    boost::system::error_code end;
    asio::read(output, asio::dynamic_buffer(text), end);
    return child.wait() == 0 ? text : "failed";
}

int main() try {
    const std::string before = output_of(launch_before);
    const std::string after = output_of(launch_after);
    std::printf("before: %safter:  %s", before.c_str(), after.c_str());
    return before == "hello\n" && after == before ? 0 : 1;
} catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
}
