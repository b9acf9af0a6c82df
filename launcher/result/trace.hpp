#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <syncspawn/launcher/timeline.hpp>

#include "launcher/child/launch_record.hpp"
#include "launcher/plan/schedule.hpp"

namespace syncspawn::detail {

// What happened in a launch and when, as its record had it at the end.
struct Trace {
    struct Moments {
        std::int64_t began = 0;
        std::int64_t ended = 0;
    };
    // A part of the parent that was not done yet.
    struct Wait {
        std::uint32_t item;
        std::int64_t at;
        int descriptor;  // -1: for a time
    };
    Trace() = default;
    Trace(std::shared_ptr<const Schedule> its_schedule, std::int64_t its_beginning,
          LaunchRecord& record, std::vector<Wait> parts_waits);
    // Where there was no child.
    Trace(std::shared_ptr<const Schedule> its_schedule, std::int64_t its_beginning,
          std::vector<Wait> parts_waits);

    std::shared_ptr<const Schedule> schedule{};  // shares the life of its spawner's definition
    std::int64_t launch_began = 0;
    std::vector<Moments> parent{};  // by the index of the item
    std::vector<Moments> child{};
    std::vector<Wait> waits{};
};

// "waits for descriptor 7".
std::string wait_in_words(int descriptor);

Timeline timeline_of(const Trace& trace);

}  // namespace syncspawn::detail
