// Boost.Process v2 with its default launcher.

#define BOOST_PROCESS_USE_STD_FS  // Boost's own would have to be linked
#include <boost/asio/io_context.hpp>
#include <boost/optional.hpp>  // which Boost 1.81 then forgets
#include <boost/process/v2/process.hpp>

#include <memory>

#include "../machine.hpp"
#include "../worker.hpp"

int main(int argc, char** argv) {
    return syncspawn::bench::serve(argc, argv, [](const std::string& program) {
        auto context = std::make_shared<boost::asio::io_context>();
        return std::vector<syncspawn::bench::Method>{
            {"boost", [context, program] {
                 boost::process::v2::process child(*context, program, {});
                 syncspawn::bench::expect(child.wait() == 0, "Boost's did not succeed");
             }}};
    });
}
