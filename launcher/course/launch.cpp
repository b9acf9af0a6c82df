#include <syncspawn/launcher/launch.hpp>

#include <stdexcept>

#include "barrier/linux/cancellation.hpp"
#include "course.hpp"

namespace syncspawn {

Launch::Launch() noexcept = default;
Launch::Launch(std::unique_ptr<detail::Course> course) noexcept : course_(std::move(course)) {}
Launch::Launch(Launch&&) noexcept = default;

Launch& Launch::operator=(Launch&& other) noexcept {
    if (this != &other) {
        Launch old(std::move(*this));
        course_ = std::move(other.course_);
    }
    return *this;
}

Launch::~Launch() {
    const detail::CancellationHeldBack held_back;
    course_.reset();
}

detail::Course& Launch::course() const {
    if (course_ == nullptr) {
        throw std::logic_error("syncspawn::Launch: there is no launch");
    }
    if (!course_->is_of_this_process()) {
        throw std::logic_error(
            "syncspawn::Launch: it is under way in another process, of which this one is a copy");
    }
    return *course_;
}

bool Launch::advance() {
    const detail::CancellationHeldBack held_back;
    return course().advance();
}

int Launch::descriptor() const { return course().descriptor(); }

LaunchWait Launch::waits_for() const { return course().waits_for(); }

Timeline Launch::timeline() const { return course().timeline(); }

UniqueFd Launch::take_standard_input() { return course().take_stream(0); }
UniqueFd Launch::take_standard_output() { return course().take_stream(1); }
UniqueFd Launch::take_standard_error() { return course().take_stream(2); }

bool Launch::turns_out_to_be_over() {
    const detail::CancellationHeldBack held_back;
    return course().turns_out_to_be_over();
}

bool Launch::has_started() const { return course().has_started(); }

void Launch::cancel() { course().cancel(); }

Process Launch::take_process() {
    SpawnError error;
    Process process = take_process(error);
    if (error) {
        throw SpawnError(error);
    }
    return process;
}

Process Launch::take_process(SpawnError& error) {
    if (!course().is_over()) {
        throw std::logic_error("syncspawn::Launch: it is not over yet");
    }
    Process process = course().take_result(error);
    course_.reset();
    return process;
}

}  // namespace syncspawn
