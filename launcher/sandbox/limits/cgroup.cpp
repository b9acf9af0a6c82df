#include <syncspawn/sandbox/cgroup.hpp>

#include <memory>
#include <utility>

#include "launch_cgroup.hpp"
#include "place.hpp"
#include "settings.hpp"
#include "sweep.hpp"

namespace syncspawn::sandbox {
namespace {

// What the launches of one step have in common.
struct Launches {
    OpenedPlace place;
    std::vector<CgroupSetting> settings;
    std::function<void(const CgroupUsage&)> at_end;
};

std::error_code begin(ParentSide& side, const Launches& launches) {
    auto& cgroup = side.state<LaunchCgroup>();
    const CgroupFailure failure =
        cgroup.make(launches.place.directory.get(), launches.place.path, CgroupUse::launch);
    if (failure.error != 0) {
        return side.fail(failure.error, failure.call.c_str());
    }
    for (const CgroupSetting& setting : launches.settings) {
        const int error = cgroup.set(setting);
        if (error != 0) {
            (void)cgroup.remove();
            return side.fail(error, ("write " + setting.file).c_str());
        }
    }
    side.set_cgroup(cgroup.directory());
    return side.done();
}

std::error_code end(ParentSide& side, const Launches& launches) {
    auto& cgroup = side.state<LaunchCgroup>();
    if (cgroup.directory() < 0) {
        return side.done();
    }
    CgroupFailure failure = cgroup.kill();
    if (failure.error == 0) {
        if (launches.at_end) {
            launches.at_end(cgroup.usage());
        }
        failure = cgroup.remove();
    }
    return failure.error == 0 ? side.done() : side.fail(failure.error, failure.call.c_str());
}

}  // namespace

Step cgroup(const CgroupLimits& limits, const CgroupPlace& place,
            std::function<void(const CgroupUsage&)> at_end) {
    std::vector<CgroupSetting> settings = settings_of(limits);
    OpenedPlace opened = prepare_place(place, settings);
    if (!opened.problems.empty()) {
        throw CgroupError(std::move(opened.problems));
    }
    sweep_below(opened.directory.get());
    const auto launches = std::make_shared<const Launches>(
        Launches{std::move(opened), std::move(settings), std::move(at_end)});
    return {.name = "cgroup",
            .before_start = [launches](ParentSide& side) { return begin(side, *launches); },
            .after_end = [launches](ParentSide& side) { return end(side, *launches); },
            .undo = [launches](ParentSide& side) { return end(side, *launches); }};
}

}  // namespace syncspawn::sandbox
