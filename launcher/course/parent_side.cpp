#include <syncspawn/launcher/parent_side.hpp>

#include <fcntl.h>
#include <sys/wait.h>

#include <stdexcept>
#include <string>

#include "barrier/linux/wait_by_pid.hpp"
#include "launcher/plan/standard_streams.hpp"
#include "parent_parts.hpp"
#include "sent_descriptors.hpp"

namespace syncspawn {
namespace detail {
namespace {

class NotYetCategory final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "syncspawn"; }
    [[nodiscard]] std::string message(int /*value*/) const override {
        return "it asked to be called again where nothing calls it";
    }
};

// A function-local static could be held by a fork in the midst of its initialisation.
const NotYetCategory not_yet_category;

}  // namespace

bool is_not_yet(const std::error_code& error) noexcept {
    return error.category() == not_yet_category;
}

}  // namespace detail

bool ParentSide::has_ended() const noexcept {
    siginfo_t info{};
    // ECHILD: somebody else has reaped it.
    return call_->is_child_gone ||
           (child_pid_ > 0 &&
            (detail::wait_by_pid(child_pid_, info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
             info.si_pid != 0));
}

std::error_code ParentSide::wait(const detail::PartWait& wait) noexcept {
    call_->wait = wait;
    return {1, detail::not_yet_category};
}

std::error_code ParentSide::wait_for(int descriptor) noexcept {
    return fcntl(descriptor, F_GETFD) < 0 ? fail("wait_for")
                                          : wait({.is_asked_for = true, .descriptor = descriptor});
}

std::error_code ParentSide::wait_for(int descriptor, Deadline deadline) noexcept {
    return fcntl(descriptor, F_GETFD) < 0
               ? fail("wait_for")
               : wait({.is_asked_for = true, .descriptor = descriptor, .until = deadline});
}

std::error_code ParentSide::wait_until(Deadline deadline) noexcept {
    return wait({.is_asked_for = true, .until = deadline});
}

UniqueFd ParentSide::take_stream(int number) {
    constexpr const char* self = "syncspawn::ParentSide";
    if (call_->streams == nullptr) {
        throw std::logic_error(std::string(self) + ": there are no streams without a child");
    }
    return call_->streams->take(number, self);
}

UniqueFd ParentSide::take_descriptor() {
    if (call_->sent == nullptr) {
        throw std::logic_error("syncspawn::ParentSide: no descriptors come without a child");
    }
    return call_->sent->take(*call_->step);
}

void ParentSide::set_cgroup(int directory) {
    const std::string self = "syncspawn::ParentSide: ";
    if (call_->cgroup == nullptr) {
        throw std::logic_error(self + "only a part before the start chooses the cgroup");
    }
    if (*call_->cgroup >= 0) {
        throw std::logic_error(self + "birth.cgroup, or another step, has chosen a cgroup already");
    }
    if (directory < 0) {
        throw std::invalid_argument(self + "a cgroup is a descriptor");
    }
    *call_->cgroup = directory;
}

void ParentSide::require_type(const std::type_info& type) const {
    if (*call_->state.type != type) {
        throw std::logic_error("syncspawn::ParentSide: the state of a step has one type");
    }
}

}  // namespace syncspawn
