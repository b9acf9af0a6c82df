#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <utility>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"

namespace syncspawn::testing {

// Up to the next newline, or the end.
inline std::string next_line(int fd) {
    std::string line;
    for (char byte = 0; read(fd, &byte, 1) == 1 && byte != '\n';) {
        line += byte;
    }
    return line;
}

// What programs write that somebody else may have launched. Its end comes when the last process has ended that holds
// it, so it tells of the end of all.
class Pipe {
public:
    Pipe() {
        int ends[2];
        expect(pipe2(ends, O_CLOEXEC) == 0);
        read_end_ = UniqueFd(ends[0]);
        write_end_ = UniqueFd(ends[1]);
    }
    explicit Pipe(UniqueFd read_end) : read_end_(std::move(read_end)) {}

    [[nodiscard]] int write_end() const noexcept { return write_end_.get(); }
    [[nodiscard]] SyncedSpawner written_by(const SyncedSpawner& spawner) const {
        SpawnOptions options = spawner.options();
        options.streams.output = Stdio::descriptor(write_end());
        return spawner.with(options);
    }
    // From here on this process writes no more.
    std::string line() {
        write_end_.reset();
        return next_line(read_end_.get());
    }
    std::string rest() {
        write_end_.reset();
        return read_all(read_end_.get());
    }

private:
    UniqueFd read_end_;
    UniqueFd write_end_;
};

}  // namespace syncspawn::testing
