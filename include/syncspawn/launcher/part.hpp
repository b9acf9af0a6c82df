#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

#include <syncspawn/barrier/visibility.h>

namespace syncspawn {

namespace detail {
// Owns a callable together with other parts. Not inline: else GCC 12 warns, where a step is written as
// an aggregate, of parts that are destroyed but not initialised.
class SYNCSPAWN_API SharedCallable {
public:
    SharedCallable() noexcept;
    explicit SharedCallable(std::shared_ptr<void> callable) noexcept;
    SharedCallable(const SharedCallable&) noexcept;
    SharedCallable(SharedCallable&&) noexcept;
    SharedCallable& operator=(const SharedCallable&) noexcept;
    SharedCallable& operator=(SharedCallable&&) noexcept;
    ~SharedCallable();
    [[nodiscard]] void* get() const noexcept { return callable_.get(); }

private:
    std::shared_ptr<void> callable_;
};
}  // namespace detail

/// A callable that takes its side by reference and returns std::error_code, or nothing. It may be
/// move-only, as a lambda that owns a descriptor is. Copies of a part share the callable.
template <class SideType>
class Part {
public:
    Part() noexcept = default;
    template <std::invocable<SideType&> Callable>
    Part(Callable callable) {  // NOLINT(google-explicit-constructor): a lambda is a part
        if constexpr (std::is_pointer_v<Callable> || requires { callable.operator bool(); }) {
            if (!callable) {  // a null pointer, an empty std::function
                return;
            }
        }
        callable_ = detail::SharedCallable(std::make_shared<Callable>(std::move(callable)));
        run_ = [](void* stored, SideType& side) -> std::error_code {
            auto& called = *static_cast<Callable*>(stored);
            if constexpr (std::is_void_v<std::invoke_result_t<Callable&, SideType&>>) {
                std::invoke(called, side);
                return {};
            } else {
                return std::invoke(called, side);
            }
        };
    }
    explicit operator bool() const noexcept { return run_ != nullptr; }
    /// There must be a callable.
    std::error_code operator()(SideType& side) const { return run_(callable_.get(), side); }

private:
    detail::SharedCallable callable_;
    std::error_code (*run_)(void*, SideType&) = nullptr;
};

}  // namespace syncspawn
