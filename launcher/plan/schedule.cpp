#include "schedule.hpp"

#include <optional>
#include <utility>

namespace syncspawn::detail {
namespace {

// Where a rendezvous cuts the parts of each side: it comes after so many of them. An inserted one
// belongs to the order that asked for it, and moves on while a later step asks for the same. It does not
// move past a part without an order: that may wait for one of the other side, or be waited for.
struct Cut {
    std::size_t child_parts;
    std::size_t parent_parts;
    std::uint32_t item;
    StepOrder serves;  // together: it does not move (any more)
};

// An order that somebody asked for: nothing of the other side that comes later begins before this. It becomes
// a rendezvous when there is such a thing, unless one has come in between; "ready to exec" always comes.
struct Wish {
    StepOrder order;
    std::size_t first_parts;  // of the side that goes first
    std::string steps;
    bool moves_cut;  // the last one comes to serve this order, too
};

class Builder {
public:
    std::uint32_t add_item(ItemKind kind, std::string name, const Step* step = nullptr) {
        schedule_.items.push_back({kind, std::move(name), step});
        return static_cast<std::uint32_t>(schedule_.items.size() - 1);
    }

    void add_rendezvous(std::string name) {
        const std::uint32_t item = add_item(ItemKind::rendezvous, std::move(name));
        cuts_.push_back({child_.size(), parent_.size(), item, StepOrder::together});
        wish_.reset();
    }

    void add_step(const Step& step) {
        if (step.child.run || step.parent) {
            add_parts(step);
        }
        if (step.after_end) {
            schedule_.after_end.push_back(&step);
        }
        if (step.last.run) {
            schedule_.last.push_back(add_item(ItemKind::last, step.name, &step));
        }
    }

    void add_parts(const Step& step) {
        grant_before(bool(step.child.run), bool(step.parent));
        const std::uint32_t item = add_item(ItemKind::step, step.name, &step);
        const bool child_first = step.order == StepOrder::child_first;
        const bool has_first = child_first ? bool(step.child.run) : bool(step.parent);
        const bool has_second = child_first ? bool(step.parent) : bool(step.child.run);
        if (has_first) {
            auto& first = child_first ? child_ : parent_;
            first.push_back(item);
            wish_for(step, first.size());
        }
        if (has_first && has_second) {
            grant();
        }
        if (has_second) {
            (child_first ? parent_ : child_).push_back(item);
        }
        if (step.order == StepOrder::together && !cuts_.empty()) {
            cuts_.back().serves = StepOrder::together;
        }
    }

    // Before the start or behind execve, where the two sides do not meet.
    void add_parents_parts(const std::vector<Entry>& entries, ItemKind kind, ParentPart Step::*part,
                           std::vector<std::uint32_t>& order) {
        for (const Entry& entry : entries) {
            const Step* const step = std::get_if<Step>(&entry);
            if (step != nullptr && step->*part) {
                order.push_back(add_item(kind, step->name, step));
            }
        }
    }

    void add_child_part(std::uint32_t item) {
        grant_before(true, false);
        child_.push_back(item);
    }

    Schedule finish() {
        merge(schedule_.child, child_, &Cut::child_parts);
        merge(schedule_.parent, parent_, &Cut::parent_parts);
        return std::move(schedule_);
    }

    Schedule& schedule() { return schedule_; }

private:
    void wish_for(const Step& step, std::size_t first_parts) {
        if (step.order == StepOrder::together) {
            return;
        }
        const std::string earlier = wish_ ? wish_->steps + ", " : "";
        const bool moves_cut = !cuts_.empty() && cuts_.back().serves == step.order;
        wish_ = Wish{step.order, first_parts, earlier + "'" + step.name + "'", moves_cut};
    }

    // What comes next is on these sides.
    void grant_before(bool is_on_child, bool is_on_parent) {
        if (wish_ && (wish_->order == StepOrder::parent_first ? is_on_child : is_on_parent)) {
            grant();
        }
    }

    void grant() {
        if (!wish_) {
            return;
        }
        const auto [order, first_parts, steps, moves_cut] = *std::exchange(wish_, std::nullopt);
        const bool child_first = order == StepOrder::child_first;
        if (moves_cut) {
            // Still before the parts that it already holds back, now after more first parts.
            Cut& cut = cuts_.back();
            (child_first ? cut.child_parts : cut.parent_parts) = first_parts;
            schedule_.items[cut.item].name += ", " + steps;
            return;
        }
        const std::uint32_t item = add_item(
            ItemKind::rendezvous, (child_first ? "the child's " : "the parent's ") + steps);
        schedule_.items[item].waits = child_first ? Waits::parent : Waits::child;
        cuts_.push_back({child_first ? first_parts : child_.size(),
                         child_first ? parent_.size() : first_parts, item, order});
    }

    void merge(std::vector<std::uint32_t>& merged, const std::vector<std::uint32_t>& parts,
               std::size_t Cut::*position) {
        std::size_t done = 0;
        for (const Cut& cut : cuts_) {
            for (; done < cut.*position; ++done) {
                merged.push_back(parts[done]);
            }
            merged.push_back(cut.item);
        }
        for (; done < parts.size(); ++done) {
            merged.push_back(parts[done]);
        }
    }

    Schedule schedule_;
    std::vector<std::uint32_t> child_;
    std::vector<std::uint32_t> parent_;
    std::vector<Cut> cuts_;
    std::optional<Wish> wish_{};
};

}  // namespace

Schedule make_schedule(const std::vector<Entry>& entries, const std::string& program,
                       const std::string& working_directory) {
    Builder builder;
    Schedule& schedule = builder.schedule();
    schedule.begin = builder.add_item(ItemKind::begin, "start");
    for (const Entry& entry : entries) {
        if (const Step* const step = std::get_if<Step>(&entry)) {
            builder.add_step(*step);
        } else {
            builder.add_rendezvous(std::get<Rendezvous>(entry).name);
        }
    }
    if (!working_directory.empty()) {
        schedule.working_directory =
            builder.add_item(ItemKind::working_directory, "chdir to '" + working_directory + "'");
        builder.add_child_part(schedule.working_directory);
    }
    builder.add_rendezvous("ready to exec");
    schedule.ready_to_exec = static_cast<std::uint32_t>(schedule.items.size() - 1);
    schedule.descriptors = builder.add_item(ItemKind::descriptors, "arrange descriptors");
    schedule.execve = builder.add_item(ItemKind::execve, "execve '" + program + "'");
    builder.add_parents_parts(entries, ItemKind::after_execve, &Step::after_execve,
                              schedule.after_execve);
    builder.add_parents_parts(entries, ItemKind::before_start, &Step::before_start,
                              schedule.before_start);
    schedule.readiness = builder.add_item(ItemKind::readiness, "ready");
    return builder.finish();
}

Stage stage_of(ItemKind kind) noexcept {
    switch (kind) {
        case ItemKind::begin:
            return Stage::start;
        case ItemKind::before_start:
        case ItemKind::step:
        case ItemKind::last:
        case ItemKind::after_execve:
            return Stage::step;
        case ItemKind::rendezvous:
            return Stage::rendezvous;
        case ItemKind::working_directory:
            return Stage::working_directory;
        case ItemKind::descriptors:
            return Stage::descriptors;
        case ItemKind::execve:
            return Stage::execve;
        case ItemKind::readiness:
            return Stage::readiness;
    }
    return Stage::none;
}

}  // namespace syncspawn::detail
