#include "hooks.hpp"

#include <fcntl.h>
#include <sys/wait.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "barrier/linux/fresh_descriptor.hpp"
#include "child_hook.hpp"
#include "hook_category.hpp"
#include "leavings.hpp"
#include "parent_hook.hpp"

namespace syncspawn::tools {
namespace {

// What all hooks of a launch share.
struct Shared {
    UniqueFd null_device{detail::above_standard_streams(open("/dev/null", O_RDWR | O_CLOEXEC))};
    Leavings leavings{};
};

// A name for errors and pictures: a long command is cut, between two characters.
std::string name_of(const Hook& hook) {
    constexpr std::size_t longest = 40;
    std::string command = hook.command;
    if (command.size() > longest) {
        std::size_t end = longest - 3;
        while (end > 0 && (static_cast<unsigned char>(command[end]) & 0xc0U) == 0x80) {
            --end;
        }
        command.resize(end);
        command += "...";
    }
    return std::string(hook.side == WhichSide::parent ? "parent" : "child") + " hook '" + command +
           "'";
}

Step step_for(const Hook& hook, const SpawnOptions& options,
              const std::shared_ptr<Shared>& shared) {
    Step step{.name = name_of(hook)};
    if (hook.side == WhichSide::parent) {
        step.order = StepOrder::parent_first;
        step.parent = [run = parent_hook(hook.command, options.signals), shared](ParentSide& side) {
            const std::error_code error = run(side);
            if (!error) {
                shared->leavings.find(side.child_pid());
            }
            return error;
        };
    } else {
        step.order = StepOrder::child_first;
        step.child = child_hook(hook.command, options, shared->null_device.get());
        step.descriptors = {shared->null_device.get()};
    }
    return step;
}

}  // namespace

void add_to(SyncedSpawner& spawner, const HookSettings& settings) {
    if (!settings.is_used()) {
        return;
    }
    const auto shared = std::make_shared<Shared>();
    // A parent hook finds the child's surroundings made, a child hook the parent waiting.
    spawner.rendezvous("ready for hooks");
    for (const Hook& hook : settings.hooks) {
        Step step = step_for(hook, spawner.options(), shared);
        if (&hook == &settings.hooks.front()) {
            step.after_end = [shared](ParentSide& side) { shared->leavings.end(side.child_pid()); };
        }
        spawner.step(std::move(step));
    }
}

std::string failure_in_words(const SpawnError& error) {
    const std::error_code code = error.code();
    if (error.stage() != Stage::step || code.category() != hook_category) {
        return error.what();
    }
    return error.step() + (WIFSIGNALED(code.value()) ? " was " : " ") + code.message();
}

}  // namespace syncspawn::tools
