// `syncspawn-bwrap`: takes bubblewrap's command line, and gives what bubblewrap gives.

#include <cstdio>
#include <exception>

#include "launch.hpp"
#include "options.hpp"
#include "parse.hpp"
#include "tools/messages.hpp"

namespace syncspawn::tools::bwrap {
namespace {

// The version whose options these are, where callers look for it.
constexpr const char* version = "bubblewrap 0.11.0 (syncspawn " SYNCSPAWN_VERSION ")\n";

int answer(Request& request, const char* program) {
    switch (request.answer) {
        case Answer::help:
            return print(usage(program)) == 0 ? 0 : 1;
        case Answer::version:
            return print(version) == 0 ? 0 : 1;
        case Answer::usage:
            std::fputs(usage(program).c_str(), stderr);
            return 1;
        case Answer::launch:
            break;
    }
    return launch(request);
}

}  // namespace
}  // namespace syncspawn::tools::bwrap

int main(int argc, char** argv) {
    namespace bwrap = syncspawn::tools::bwrap;
    const char* const program = argc > 0 ? argv[0] : "bwrap";
    bwrap::Request request;
    try {
        bwrap::parse(request, argc, argv);
        return bwrap::answer(request, program);
    } catch (const std::exception& error) {
        request.speaker.fail(error.what());
        return 1;
    }
}
