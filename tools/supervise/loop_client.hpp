#pragma once

namespace syncspawn::tools {

// Something that the event loop serves while the program runs: a door, for one.
class LoopClient {
public:
    LoopClient() = default;
    LoopClient(const LoopClient&) = delete;
    LoopClient& operator=(const LoopClient&) = delete;
    virtual ~LoopClient() = default;

    // Readable when advance() has something to do; -1: nothing now. May be an epoll descriptor of its own.
    [[nodiscard]] virtual int descriptor() const = 0;
    // Goes on as far as it can without waiting.
    virtual void advance() = 0;
};

}  // namespace syncspawn::tools
