#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "clock.hpp"
#include "json.hpp"
#include "line_queue.hpp"
#include "observer.hpp"

namespace syncspawn::tools {

// --status-fd: what happens, as JSON lines. syncspawn-run(1) has the table of events. Readers ignore what they
// do not know, so more of both may come without another version.
class StatusLines : public Observer {
public:
    explicit StatusLines(std::shared_ptr<LineQueue> lines) : lines_(std::move(lines)) {}

    void begins() override;
    void left_out(const std::string& what) override;
    void goes_on(const Launch& launch) override;
    void runs(const Process& program) override;
    void failed(const SpawnError& error) override;
    void ending(const std::string& why) override;
    void ended(const Process& program, const ExitStatus& status) override;
    void gone() override;
    void over() override;

private:
    void tell(const JsonObject& line) { lines_->add(line.to_string()); }
    [[nodiscard]] JsonObject event_now(const char* name) const;
    // What was not told yet: each side's events come in order. Up to execve, if the program is not known yet.
    void tell_steps(const Timeline& timeline, pid_t program);

    std::shared_ptr<LineQueue> lines_;
    LaunchClock clock_;
    std::array<std::size_t, 2> told_{};  // events of the parent, of the child
    bool has_begun_ = false;
    std::vector<std::string> left_out_{};  // before that
    std::string reason_ = "itself";
};

}  // namespace syncspawn::tools
