#include <syncspawn/launcher/timeline.hpp>

#include <algorithm>
#include <cstdio>

#include "trace.hpp"

namespace syncspawn {
namespace detail {
namespace {

// How an item reads when a side enters and leaves it; empty: not worth a line.
struct Wording {
    std::string began;
    std::string ended;
};

Wording wording(const Item& item, WhichSide side) {
    switch (item.kind) {
        case ItemKind::begin:
            return {side == WhichSide::child ? "started" : "starts the child", ""};
        case ItemKind::before_start:
        case ItemKind::step:
        case ItemKind::last:
        case ItemKind::after_execve:
            return {item.name + " ...", item.name + ": done"};
        case ItemKind::rendezvous:
            return {"waits at [" + item.name + "]", "passes [" + item.name + "]"};
        case ItemKind::working_directory:
            return {item.name, ""};
        case ItemKind::descriptors:
            return {};
        case ItemKind::execve:
            return side == WhichSide::child ? Wording{item.name, ""}
                                            : Wording{"", "sees the program run"};
        case ItemKind::readiness:
            return {"waits for the program to be ready", "the program is ready"};
    }
    return {};
}

TimelineSubject subject_of(ItemKind kind) {
    switch (kind) {
        case ItemKind::begin:
            return TimelineSubject::start;
        case ItemKind::rendezvous:
            return TimelineSubject::rendezvous;
        case ItemKind::working_directory:
            return TimelineSubject::working_directory;
        case ItemKind::execve:
            return TimelineSubject::execve;
        case ItemKind::readiness:
            return TimelineSubject::readiness;
        default:
            return TimelineSubject::step;
    }
}

// 0 is no time. The child's may be anything.
std::int64_t by_own_clock(std::int64_t at, std::int64_t ahead) {
    std::int64_t own = 0;
    return at == 0 || __builtin_sub_overflow(at, ahead, &own) ? at : own;
}

}  // namespace

Trace::Trace(std::shared_ptr<const Schedule> its_schedule, std::int64_t its_beginning,
             LaunchRecord& record, std::vector<Wait> parts_waits)
    : schedule(std::move(its_schedule)),
      launch_began(its_beginning),
      waits(std::move(parts_waits)) {
    const std::int64_t ahead = record.childs_clock_is_ahead(launch_began, schedule->begin);
    for (auto [side, moments] :
         {std::pair(WhichSide::parent, &parent), {WhichSide::child, &child}}) {
        moments->reserve(schedule->items.size());
        for (std::uint32_t index = 0; index < schedule->items.size(); ++index) {
            const Times& times = record.times(side, index);
            const std::int64_t clock = side == WhichSide::child ? ahead : 0;
            moments->push_back(
                {by_own_clock(times.began, clock), by_own_clock(times.ended, clock)});
        }
    }
}

Trace::Trace(std::shared_ptr<const Schedule> its_schedule, std::int64_t its_beginning,
             std::vector<Wait> parts_waits)
    : schedule(std::move(its_schedule)),
      launch_began(its_beginning),
      parent(schedule->items.size()),
      child(schedule->items.size()),
      waits(std::move(parts_waits)) {}

std::string wait_in_words(int descriptor) {
    return descriptor < 0 ? "waits for a time that it named"
                          : "waits for descriptor " + std::to_string(descriptor);
}

Timeline timeline_of(const Trace& trace) {
    Timeline timeline;
    const auto add = [&](std::int64_t at, WhichSide side, const std::string& what, const Item& item,
                         TimelineMoment moment) {
        if (at != 0 && !what.empty()) {
            // The child's times may be anything: no overflow.
            std::int64_t since = 0;
            if (!__builtin_sub_overflow(at, trace.launch_began, &since)) {
                timeline.push_back({std::chrono::nanoseconds(since), side, what,
                                    subject_of(item.kind), moment, item.name});
            }
        }
    };
    for (const WhichSide side : {WhichSide::parent, WhichSide::child}) {
        for (std::size_t index = 0; trace.schedule && index < trace.schedule->items.size();
             ++index) {
            const Item& item = trace.schedule->items[index];
            const Wording words = wording(item, side);
            const Trace::Moments& moments =
                side == WhichSide::parent ? trace.parent[index] : trace.child[index];
            add(moments.began, side, words.began, item, TimelineMoment::begin);
            add(moments.ended, side, words.ended, item, TimelineMoment::end);
        }
    }
    for (const Trace::Wait& wait : trace.waits) {
        const Item& item = trace.schedule->items[wait.item];
        add(wait.at, WhichSide::parent, item.name + ": " + wait_in_words(wait.descriptor), item,
            TimelineMoment::wait);
    }
    std::stable_sort(timeline.begin(), timeline.end(),
                     [](const auto& left, const auto& right) { return left.at < right.at; });
    return timeline;
}

}  // namespace detail

std::string draw(const Timeline& timeline) {
    constexpr int widest = 44;
    std::size_t width = 8;
    for (const TimelineEvent& event : timeline) {
        if (event.side == WhichSide::parent) {
            width = std::max(width, event.what.size());
        }
    }
    const int column = static_cast<int>(std::min<std::size_t>(width, widest));
    char head[128];
    std::snprintf(head, sizeof head, "%10s  %-*s | %s\n", "ms", column, "parent", "child");
    std::string text = head;
    for (const TimelineEvent& event : timeline) {
        const bool is_parent = event.side == WhichSide::parent;
        char time[32];
        std::snprintf(time, sizeof time, "%10.3f  ",
                      std::chrono::duration<double, std::milli>(event.at).count());
        std::string left = is_parent ? event.what : "";
        left.resize(std::max<std::size_t>(left.size(), static_cast<std::size_t>(column)), ' ');
        text += time + left + " |" + (is_parent ? "" : " " + event.what) + "\n";
    }
    return text;
}

}  // namespace syncspawn
