#include <syncspawn/launcher/part.hpp>

namespace syncspawn::detail {

SharedCallable::SharedCallable() noexcept = default;
SharedCallable::SharedCallable(std::shared_ptr<void> callable) noexcept
    : callable_(std::move(callable)) {}
SharedCallable::SharedCallable(const SharedCallable&) noexcept = default;
SharedCallable::SharedCallable(SharedCallable&&) noexcept = default;
SharedCallable& SharedCallable::operator=(const SharedCallable&) noexcept = default;
SharedCallable& SharedCallable::operator=(SharedCallable&&) noexcept = default;
SharedCallable::~SharedCallable() = default;

}  // namespace syncspawn::detail
