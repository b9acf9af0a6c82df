#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

#include <syncspawn/barrier/visibility.h>

/// syncspawn::Part: your code for one side of a step. Any lambda will do, even one that owns a descriptor:
///
///     #include <fcntl.h>
///     #include <stdio.h>
///     #include <syncspawn/launcher.hpp>
///     #include <utility>
///
///     int main() {
///         syncspawn::UniqueFd log(open("/dev/null", O_WRONLY | O_CLOEXEC));
///         syncspawn::SyncedSpawner spawner({.program = "true"});
///         spawner.step(
///             {.name = "log the child", .parent = [log = std::move(log)](syncspawn::ParentSide& side) {
///                  if (dprintf(log.get(), "%d\n", side.child_pid()) < 0) {
///                      return side.fail("write the log");
///                  }
///                  return side.done();
///              }});
///         return spawner.spawn().wait().shell_code();
///     }

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

/// Holds a callable that takes its side (ParentSide& or ChildSide&). If it returns a std::error_code other
/// than zero, or throws, the launch fails; if it returns nothing, it cannot fail but by an exception.
///
/// You seldom name this type: write a lambda where one is asked for. It need not be copyable. Copies of a
/// Part share one callable, and so does every launch of a spawner: what a `mutable` lambda captured is there
/// once for all of them. A part is empty by default, or if made from a null pointer or an empty
/// std::function.
///
/// Which side calls it, and by which rules, is said in <syncspawn/launcher/step.hpp> and
/// <syncspawn/launcher/child_side.hpp>.
template <class SideType>
class Part {
public:
    /// No part: that side has nothing to do in the step.
    Part() noexcept = default;
    /// May throw std::bad_alloc, and what the callable's move constructor throws.
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
    /// Calls it; it must not be empty. The library does this for you.
    std::error_code operator()(SideType& side) const { return run_(callable_.get(), side); }

private:
    detail::SharedCallable callable_;
    std::error_code (*run_)(void*, SideType&) = nullptr;
};

}  // namespace syncspawn
