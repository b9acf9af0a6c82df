#pragma once

#include <string>

#include <syncspawn/launcher.hpp>

namespace syncspawn::tools {

// Is told what becomes of a launch, in the order in which it happens.
class Observer {
public:
    Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;
    virtual ~Observer() = default;

    // Right before the launch: what a Timeline counts from.
    virtual void begins() {}
    virtual void left_out(const std::string& /*what*/) {}
    // It is not over, and something has happened.
    virtual void goes_on(const Launch& /*launch*/) {}
    // It was executed, and is ready if that was asked for.
    virtual void runs(const Process& /*program*/) {}
    virtual void failed(const SpawnError& /*error*/) {}
    // We end it: "timeout", "SIGTERM".
    virtual void ending(const std::string& /*why*/) {}
    virtual void ended(const Process& /*program*/, const ExitStatus& /*status*/) {}
    // So is everything that it has started.
    virtual void gone() {}
    // Nothing more is told. This process may end by a signal now, which runs no destructor.
    virtual void over() {}
};

}  // namespace syncspawn::tools
