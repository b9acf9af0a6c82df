#include "schedule.hpp"

namespace syncspawn::detail {
namespace {

// Where a rendezvous cuts the parts of each side: it comes after so many of them. An inserted one
// belongs to the order that asked for it, and moves on while the next step asks for the same.
struct Cut {
    std::size_t child_parts;
    std::size_t parent_parts;
    std::uint32_t item;
    StepOrder serves;  // together: the user's own, which does not move
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
    }

    void add_step(const Step& step) {
        if (step.child.run || step.parent) {
            add_parts(step);
        }
        if (step.last.run) {
            schedule_.last.push_back(add_item(ItemKind::last, step.name, &step));
        }
    }

    void add_parts(const Step& step) {
        const std::uint32_t item = add_item(ItemKind::step, step.name, &step);
        const bool is_ordered = step.child.run && step.parent && step.order != StepOrder::together;
        const std::size_t child_before = child_.size();
        const std::size_t parent_before = parent_.size();
        if (step.child.run) {
            child_.push_back(item);
        }
        if (step.parent) {
            parent_.push_back(item);
        }
        if (!is_ordered) {
            return;
        }
        const bool child_first = step.order == StepOrder::child_first;
        if (!cuts_.empty() && cuts_.back().serves == step.order) {
            // Still before the second parts of the steps it already serves, now after one more
            // first part.
            (child_first ? cuts_.back().child_parts : cuts_.back().parent_parts) =
                child_first ? child_.size() : parent_.size();
            schedule_.items[cuts_.back().item].name += ", '" + step.name + "'";
            return;
        }
        const std::uint32_t rendezvous = add_item(
            ItemKind::rendezvous,
            std::string(child_first ? "the child's" : "the parent's") + " '" + step.name + "'");
        cuts_.push_back({child_first ? child_.size() : child_before,
                         child_first ? parent_before : parent_.size(), rendezvous, step.order});
    }

    void add_parts_after_execve(const std::vector<Entry>& entries) {
        for (const Entry& entry : entries) {
            const Step* const step = std::get_if<Step>(&entry);
            if (step != nullptr && step->after_execve) {
                schedule_.after_execve.push_back(
                    add_item(ItemKind::after_execve, step->name, step));
            }
        }
    }

    void add_child_part(std::uint32_t item) { child_.push_back(item); }

    Schedule finish() {
        merge(schedule_.child, child_, &Cut::child_parts);
        merge(schedule_.parent, parent_, &Cut::parent_parts);
        return std::move(schedule_);
    }

    Schedule& schedule() { return schedule_; }

private:
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
    builder.add_parts_after_execve(entries);
    schedule.readiness = builder.add_item(ItemKind::readiness, "ready");
    return builder.finish();
}

Stage stage_of(ItemKind kind) noexcept {
    switch (kind) {
        case ItemKind::begin:
            return Stage::start;
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
