#include "explanation.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace syncspawn {
namespace detail {
namespace {

constexpr std::array names_of_namespaces{
    std::pair(Namespaces::user, "user"), std::pair(Namespaces::mount, "mount"),
    std::pair(Namespaces::pid, "pid"),   std::pair(Namespaces::network, "network"),
    std::pair(Namespaces::ipc, "ipc"),   std::pair(Namespaces::uts, "uts"),
};

std::string start_in_words(const Birth& birth) {
    std::string names;
    for (const auto& [kind, name] : names_of_namespaces) {
        if ((birth.namespaces & kind) != Namespaces::none) {
            names += (names.empty() ? "" : ", ") + std::string(name);
        }
    }
    return "starts the child" + (names.empty() ? "" : " in new namespaces: " + names);
}

class Explanation {
public:
    explicit Explanation(const Definition& definition)
        : options_(definition.options), schedule_(definition.schedule) {}

    PlannedLaunch take() {
        for (const std::uint32_t item : schedule_.before_start) {
            parent(quoted(item) + ", before the start");
        }
        parent(start_in_words(options_.birth));
        tell_setup();
        tell_execve();
        for (const std::uint32_t item : schedule_.after_execve) {
            parent(quoted(item) + ", once the program runs");
        }
        if (options_.readiness.within) {
            parent("waits for the program to be ready");
        }
        const std::vector<const Step*> last_first(schedule_.after_end.rbegin(),
                                                  schedule_.after_end.rend());
        for (const Step* const step : last_first) {
            parent("'" + step->name + "', after the end");
        }
        return std::move(plan_);
    }

private:
    void parent(std::string what) { plan_.push_back({.parent = std::move(what)}); }
    void child(std::string what) { plan_.push_back({.child = std::move(what)}); }

    [[nodiscard]] std::string quoted(std::uint32_t item) const {
        return "'" + schedule_.items[item].name + "'";
    }

    // Both sides have the same rendezvous, in the same order.
    void tell_setup() {
        auto parents = schedule_.parent.begin();
        auto childs = schedule_.child.begin();
        while (parents != schedule_.parent.end() || childs != schedule_.child.end()) {
            for (; parents != schedule_.parent.end() && !is_rendezvous(*parents); ++parents) {
                parent(quoted(*parents));
            }
            for (; childs != schedule_.child.end() && !is_rendezvous(*childs); ++childs) {
                child(*childs == schedule_.working_directory && !options_.working_directory.empty()
                          ? schedule_.items[*childs].name
                          : quoted(*childs));
            }
            if (parents != schedule_.parent.end() && childs != schedule_.child.end()) {
                tell_rendezvous(schedule_.items[*parents]);
                ++parents;
                ++childs;
            }
        }
    }

    [[nodiscard]] bool is_rendezvous(std::uint32_t item) const {
        return schedule_.items[item].kind == ItemKind::rendezvous;
    }

    void tell_rendezvous(const Item& rendezvous) {
        switch (rendezvous.waits) {
            case Waits::parent:
                return parent("waits for " + rendezvous.name);
            case Waits::child:
                return child("waits for " + rendezvous.name);
            case Waits::both:
                plan_.push_back({.parent = "meets the child at [" + rendezvous.name + "]",
                                 .child = "meets the parent at [" + rendezvous.name + "]"});
        }
    }

    void tell_execve() {
        if (options_.birth.first_process != FirstProcess::program) {
            child("makes the program's process, and becomes the reaper");
        }
        for (const std::uint32_t item : schedule_.last) {
            child(quoted(item) + ", right before execve");
        }
        child(schedule_.items[schedule_.execve].name);
        parent("sees the program run");
    }

    const SpawnOptions& options_;
    const Schedule& schedule_;
    PlannedLaunch plan_;
};

}  // namespace

PlannedLaunch explanation_of(const Definition& definition) {
    return Explanation(definition).take();
}

}  // namespace detail

std::string draw(const PlannedLaunch& plan) {
    constexpr std::size_t narrowest = 40;
    constexpr std::size_t widest = 60;
    std::size_t width = narrowest;
    for (const PlannedEvent& event : plan) {
        width = std::max(width, std::min(event.parent.size(), widest));
    }
    std::string text;
    const auto add = [&](const std::string& parent, const std::string& child) {
        std::string left = parent;
        left.resize(std::max(left.size(), width), ' ');
        text += left + " |" + (child.empty() ? "" : " " + child) + "\n";
    };
    add("parent", "child");
    for (const PlannedEvent& event : plan) {
        add(event.parent, event.child);
    }
    return text;
}

}  // namespace syncspawn
