#pragma once

namespace syncspawn::detail {

struct FailedExec {
    const char* path;  // that the error is about
    int error;
};

struct Search {
    const char* const* paths;  // null-terminated
    int tries_if_busy;
    bool has_looked_ahead = false;
    const char* const* first_there = nullptr;  // seen by a look ahead; null: none of them
};

// Looks which path is there, so that execute_first_of() makes no system call but execve, until that has
// failed for good: whatever comes in between may forbid all others. It then tries again without a pause
// what is busy, and takes what it has not seen and gives ENOENT for missing.
void look_ahead(Search& search) noexcept;

// Executes the first of these paths that can be. As execvp(3): what is not there, or on a file
// system that does not answer, is passed over, a refusal (EACCES) is remembered, anything else ends the
// search. An entry of PATH that is too long, or a loop of symbolic links, is not there. But a file that
// is there and gives ENOENT lacks its interpreter: that ends it, too. A file that is open for writing is
// tried `tries_if_busy` times, with pauses of up to 64 ms: the writer may be the copy of a descriptor in
// another child that is about to execute its own program. Returns if nothing could be executed.
FailedExec execute_first_of(const Search& search, char* const* arguments,
                            char* const* environment) noexcept;

}  // namespace syncspawn::detail
