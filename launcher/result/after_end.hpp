#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include <syncspawn/launcher/step.hpp>

namespace syncspawn::detail {

// What is done once the program has been reaped (Step::after_end): last step first, each once.
class AfterEnd {
public:
    struct Part {
        const Step* step;  // of a definition that outlives this
        PartState state;
    };

    AfterEnd() noexcept = default;
    // In the order of the steps.
    explicit AfterEnd(std::vector<Part> parts) noexcept : parts_(std::move(parts)) {}
    AfterEnd(AfterEnd&&) noexcept = default;
    AfterEnd& operator=(AfterEnd&& other) noexcept;
    AfterEnd(const AfterEnd&) = delete;
    AfterEnd& operator=(const AfterEnd&) = delete;
    // What was not done is not done any more; what its steps keep ends, last first.
    ~AfterEnd() { forget(); }

    // Whoever reaps calls this, however often. Throws std::bad_alloc alone; the next call goes on.
    void run(pid_t program);
    [[nodiscard]] const std::string& failures() const noexcept { return failures_; }

private:
    void run_one(const Part& part, pid_t program);
    void forget() noexcept;

    std::vector<Part> parts_;
    std::string failures_;
};

}  // namespace syncspawn::detail
