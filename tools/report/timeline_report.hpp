#pragma once

#include <cstddef>

#include "clock.hpp"
#include "observer.hpp"
#include "report_settings.hpp"
#include "story.hpp"

namespace syncspawn::tools {

// --timeline: draws the launch. On stderr line by line as it becomes known, into a file at the end.
class TimelineReport : public Observer {
public:
    explicit TimelineReport(TimelineWish wish) : wish_(std::move(wish)) {}

    void begins() override { clock_.begin(); }
    void left_out(const std::string& what) override { story_.left_out.push_back(what); }
    void runs(const Process& program) override;
    void failed(const SpawnError& error) override;
    void ending(const std::string& why) override;
    void ended(const Process& program, const ExitStatus& status) override;
    void gone() override;
    void over() override;

private:
    void show();

    TimelineWish wish_;
    LaunchClock clock_;
    Story story_;
    std::size_t shown_ = 0;  // of the text on stderr
};

}  // namespace syncspawn::tools
