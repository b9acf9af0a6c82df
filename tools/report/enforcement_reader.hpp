#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox/sandbox.hpp>

#include "observer.hpp"
#include "tools/supervise/loop_client.hpp"

namespace syncspawn::tools {

// --enforcement: asks the kernel what holds the program, and prints it once that runs. However soon it may end: it is
// looked at right before its execve, and waits there.
class EnforcementReader : public LoopClient {
public:
    // `file`: where to; empty: standard error. Throws Complaints.
    EnforcementReader(sandbox::Sandbox sandbox, const std::string& file);

    // Behind all others. The reader must outlive the launch.
    [[nodiscard]] Step step();
    // Prints; must not outlive the reader.
    [[nodiscard]] std::unique_ptr<Observer> observer();

    [[nodiscard]] int descriptor() const override { return own_.get(); }
    void advance() override;

private:
    class Printer;

    sandbox::Sandbox sandbox_;
    UniqueFd file_{};
    UniqueFd own_{};
    UniqueFd childs_{};
    pid_t child_ = -1;
    std::string report_{};
};

}  // namespace syncspawn::tools
