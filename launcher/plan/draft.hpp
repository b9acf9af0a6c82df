#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "definition.hpp"

namespace syncspawn::detail {

// What was asked for so far, checked. The definition is made from it when it is first needed, so that
// adding an entry costs the same however many there are. Without a lock: a fork in the midst of that
// would leave the copy waiting for ever.
class Draft {
public:
    // Throws std::invalid_argument.
    explicit Draft(SpawnOptions options);
    Draft(const Draft& other);
    Draft& operator=(const Draft&) = delete;
    ~Draft();

    // Throws std::invalid_argument, and is as it was then.
    void add(Entry entry);
    void add_all_of(const Draft& other);
    [[nodiscard]] const SpawnOptions& options() const noexcept { return *options_; }
    [[nodiscard]] bool has_part_after_execve() const noexcept;
    // By any number of threads at once: the first to be done makes that of all.
    [[nodiscard]] std::shared_ptr<const Definition> definition() const;

private:
    using Made = std::shared_ptr<const Definition>;
    std::shared_ptr<const SpawnOptions> options_;
    std::vector<Entry> entries_;
    mutable std::atomic<const Made*> made_{nullptr};
};

}  // namespace syncspawn::detail
