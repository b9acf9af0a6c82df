#pragma once

namespace syncspawn::detail {

struct FailedExec {
    const char* path;  // that the error is about
    int error;
};

// Executes the first of these paths that can be. As execvp(3): what is not there, or on a file
// system that does not answer, is passed over, a refusal (EACCES) is remembered, anything else ends the
// search. An entry of PATH that is too long, or a loop of symbolic links, is not there. But a file that
// is there and gives ENOENT lacks its interpreter: that ends it, too. A file that is open for writing is
// tried `tries_if_busy` times, with pauses of up to 64 ms: the writer may be the copy of a descriptor in
// another child that is about to execute its own program. Returns if nothing could be executed.
FailedExec execute_first_of(const char* const* paths, char* const* arguments,
                            char* const* environment, int tries_if_busy) noexcept;

}  // namespace syncspawn::detail
