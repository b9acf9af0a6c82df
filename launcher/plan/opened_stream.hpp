#pragma once

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/descriptors.hpp>

namespace syncspawn::detail {

struct Pipe {
    UniqueFd read;
    UniqueFd write;
};
// Throws std::system_error.
Pipe open_pipe(const char* what);

// What one launch opens for one standard stream of its program.
struct OpenedStream {
    UniqueFd childs{};
    UniqueFd parents{};  // of a pipe
};

// Throws std::system_error. Not for what is there already: inherited, a descriptor, the same as another.
OpenedStream open_stream(const Stdio& stream, int number);

}  // namespace syncspawn::detail
