#pragma once

#include <string>
#include <system_error>
#include <utility>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/descriptors.hpp>

namespace syncspawn::detail {

// A std::system_error that knows what to do about it.
class ErrorWithHint : public std::system_error {
public:
    ErrorWithHint(int error, const std::string& what, std::string hint)
        : std::system_error(error, std::generic_category(), what), hint_(std::move(hint)) {}
    [[nodiscard]] const std::string& hint() const noexcept { return hint_; }

private:
    std::string hint_;
};

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
