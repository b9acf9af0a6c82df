#include "observers.hpp"

#include "line_queue.hpp"
#include "status_lines.hpp"
#include "timeline_report.hpp"

namespace syncspawn::tools {
namespace {

// The queue belongs to whoever tells something and to the event loop.
class QueueClient : public LoopClient {
public:
    explicit QueueClient(std::shared_ptr<LineQueue> lines) : lines_(std::move(lines)) {}
    [[nodiscard]] int descriptor() const override { return lines_->descriptor(); }
    void advance() override { lines_->advance(); }

private:
    std::shared_ptr<LineQueue> lines_;
};

}  // namespace

std::vector<std::unique_ptr<Observer>> observers_for(
    const ReportSettings& settings, std::vector<std::unique_ptr<LoopClient>>& clients) {
    std::vector<std::unique_ptr<Observer>> observers;
    if (settings.timeline) {
        observers.push_back(std::make_unique<TimelineReport>(*settings.timeline));
    }
    if (settings.status_fd >= 0) {
        const auto lines = std::make_shared<LineQueue>(settings.status_fd);
        observers.push_back(std::make_unique<StatusLines>(lines));
        clients.push_back(std::make_unique<QueueClient>(lines));
    }
    return observers;
}

}  // namespace syncspawn::tools
