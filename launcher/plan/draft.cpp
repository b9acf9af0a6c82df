#include "draft.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "checks.hpp"

namespace syncspawn::detail {

Draft::Draft(SpawnOptions options) {
    check(options);
    options_ = std::make_shared<const SpawnOptions>(std::move(options));
}

Draft::Draft(const Draft& other) : options_(other.options_), entries_(other.entries_) {
    if (const Made* const made = other.made_.load(std::memory_order_acquire)) {
        made_.store(new Made(*made), std::memory_order_relaxed);
    }
}

Draft::~Draft() { delete made_.load(std::memory_order_relaxed); }

void Draft::add(Entry entry) {
    std::visit([&](const auto& added) { check(*options_, added); }, entry);
    entries_.push_back(std::move(entry));
    delete made_.exchange(nullptr, std::memory_order_relaxed);
}

void Draft::add_all_of(const Draft& other) {
    for (const Entry& entry : other.entries_) {
        add(entry);
    }
}

bool Draft::has_part_after_execve() const noexcept {
    return std::ranges::any_of(entries_, [](const Entry& entry) {
        const Step* const step = std::get_if<Step>(&entry);
        return step != nullptr && step->after_execve;
    });
}

std::shared_ptr<const Definition> Draft::definition() const {
    if (const Made* const made = made_.load(std::memory_order_acquire)) {
        return *made;
    }
    auto own = std::make_unique<const Made>(std::make_shared<const Definition>(options_, entries_));
    const Made* made = nullptr;
    if (made_.compare_exchange_strong(made, own.get(), std::memory_order_acq_rel)) {
        made = own.release();
    }
    return *made;
}

}  // namespace syncspawn::detail
