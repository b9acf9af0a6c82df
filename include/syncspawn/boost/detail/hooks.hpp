#pragma once

#include <algorithm>
#include <concepts>
#include <tuple>

#include <syncspawn/boost/child_rules.hpp>
#include <syncspawn/boost/detail/hook_name.hpp>
#include <syncspawn/boost/version.hpp>
#include <syncspawn/launcher/step.hpp>

// Calls the hooks of Boost.Process's initializers, each of which has any subset of them. The language finds
// the hooks (`requires`), not Boost's own dispatch, which misses the error hooks before Boost 1.88.

namespace syncspawn::for_boost::detail {

using Path = v2::filesystem::path;
using Arguments = const char* const*;

template <class Launcher, class Initializer>
concept HasOnSetup = requires(Launcher& launcher, Initializer& one, const Path& exe,
                              Arguments& argv) {
    { one.on_setup(launcher, exe, argv) } -> std::convertible_to<error_code>;
};
template <class Launcher, class Initializer>
concept HasOnExecSetup = requires(Launcher& launcher, Initializer& one, const Path& exe,
                                  Arguments& argv) {
    { one.on_exec_setup(launcher, exe, argv) } -> std::convertible_to<error_code>;
};
template <class Launcher, class Initializer>
concept HasOnChildWaiting = requires(Launcher& launcher, Initializer& one, const Path& exe,
                                     Arguments& argv) {
    { one.on_child_waiting(launcher, exe, argv) } -> std::convertible_to<error_code>;
};
template <class Launcher, class Initializer>
concept CallsOnChildWaiting = requires(Launcher& launcher, Initializer& one, const Path& exe,
                                       Arguments& argv) {
    one.on_child_waiting(launcher, exe, argv);
};
template <class Launcher, class Initializer>
concept HasOnSuccess = requires(Launcher& launcher, Initializer& one, const Path& exe,
                                Arguments& argv) {
    one.on_success(launcher, exe, argv);
};
template <class Launcher, class Initializer>
concept HasOnError = requires(Launcher& launcher, Initializer& one, const Path& exe,
                              Arguments& argv, const error_code& error) {
    one.on_error(launcher, exe, argv, error);
};
template <class Launcher, class Initializer>
concept HasOnForkError = requires(Launcher& launcher, Initializer& one, const Path& exe,
                                  Arguments& argv, const error_code& error) {
    one.on_fork_error(launcher, exe, argv, error);
};
template <class Launcher, class Initializer>
concept HasOnExecError = requires(Launcher& launcher, Initializer& one, const Path& exe,
                                  Arguments& argv, const error_code& error) {
    one.on_exec_error(launcher, exe, argv, error);
};

/// The hooks of one launch, whatever their initializers' types: so what uses them is compiled only once.
class AnyHooks {
public:
    AnyHooks(const AnyHooks&) = delete;
    AnyHooks& operator=(const AnyHooks&) = delete;
    virtual ~AnyHooks() = default;

    struct Traits {
        bool have_exec_setup;
        bool have_exec_error;
        bool have_child_waiting;
        ChildRules child_rules;  ///< those that all of the child hooks obey
    };
    [[nodiscard]] const Traits& traits() const noexcept { return traits_; }
    /// As the hooks that have run left it.
    [[nodiscard]] Arguments argv() const noexcept { return argv_; }

    /// Each stops at the first error and returns it; `failed` says which initializer it came from.
    virtual error_code on_setup(HookName& failed) = 0;
    virtual error_code on_exec_setup(HookName& failed) = 0;
    virtual error_code on_child_waiting(HookName& failed) = 0;
    virtual void on_success() = 0;
    virtual void on_error(const error_code& error) = 0;
    virtual void on_fork_error(const error_code& error) = 0;
    virtual void on_exec_error(const error_code& error) = 0;

protected:
    AnyHooks(const Traits& traits, Arguments& argv) : traits_(traits), argv_(argv) {}

    const Traits& traits_;
    Arguments& argv_;
};

/// The initializers of one launch, and the arguments of their hooks. Owns none of it.
template <class Launcher, class... Initializers>
class Hooks final : public AnyHooks {
public:
    Hooks(Launcher& launcher, const Path& exe, Arguments& argv, Initializers&... initializers)
        : AnyHooks(its_traits, argv),
          launcher_(launcher),
          exe_(exe),
          initializers_(initializers...) {
        static_assert(((HasOnChildWaiting<Launcher, Initializers> ||
                        !CallsOnChildWaiting<Launcher, Initializers>)&&...),
                      "on_child_waiting must return an error_code");
    }

    error_code on_setup(HookName& failed) override {
        return until_first_error("on_setup", failed, [this]<class One>(One& one) -> error_code {
            if constexpr (is_bind_fd<One>) {
                launcher_.fd_whitelist.push_back(one.target);
                return {};
            } else if constexpr (HasOnSetup<Launcher, One>) {
                return one.on_setup(launcher_, exe_, argv_);
            } else {
                return {};
            }
        });
    }
    error_code on_exec_setup(HookName& failed) override {
        return until_first_error("on_exec_setup", failed,
                                 [this]<class One>(One& one) -> error_code {
                                     if constexpr (HasOnExecSetup<Launcher, One>) {
                                         return one.on_exec_setup(launcher_, exe_, argv_);
                                     } else {
                                         return {};
                                     }
                                 });
    }
    error_code on_child_waiting(HookName& failed) override {
        return until_first_error("on_child_waiting", failed,
                                 [this]<class One>(One& one) -> error_code {
                                     if constexpr (HasOnChildWaiting<Launcher, One>) {
                                         return one.on_child_waiting(launcher_, exe_, argv_);
                                     } else {
                                         return {};
                                     }
                                 });
    }
    void on_success() override {
        for_each([this]<class One>(One& one) {
            if constexpr (HasOnSuccess<Launcher, One>) {
                one.on_success(launcher_, exe_, argv_);
            }
        });
    }
    void on_error(const error_code& error) override {
        for_each([&, this]<class One>(One& one) {
            if constexpr (HasOnError<Launcher, One>) {
                one.on_error(launcher_, exe_, argv_, error);
            }
        });
    }
    void on_fork_error(const error_code& error) override {
        for_each([&, this]<class One>(One& one) {
            if constexpr (HasOnForkError<Launcher, One>) {
                one.on_fork_error(launcher_, exe_, argv_, error);
            }
        });
    }
    void on_exec_error(const error_code& error) override {
        for_each([&, this]<class One>(One& one) {
            if constexpr (HasOnExecError<Launcher, One>) {
                one.on_exec_error(launcher_, exe_, argv_, error);
            }
        });
    }

private:
    // The initializer that promises least decides for all.
    static constexpr ChildRules common_rules() {
        ChildRules rules = ChildRules::shared_memory;
        ((rules = std::max(rules, rules_of<Initializers>())), ...);
        return rules;
    }
    template <class One>
    static constexpr ChildRules rules_of() {
        constexpr bool has_child_hook =
            HasOnExecSetup<Launcher, One> || HasOnExecError<Launcher, One>;
        return has_child_hook ? child_rules_of<One> : ChildRules::shared_memory;
    }
    template <class Call>
    void for_each(Call call) {
        std::apply([&](auto&... one) { (call(one), ...); }, initializers_);
    }
    template <class Call>
    error_code until_first_error(const char* hook, HookName& failed, Call call) {
        error_code error;
        const auto succeeds = [&](auto& one) {
            error = call(one);
            if (error) {
                failed.set(hook, one);
            }
            return !error;
        };
        std::apply([&](auto&... one) { (void)(succeeds(one) && ...); }, initializers_);
        return error;
    }

    static constexpr Traits its_traits{(HasOnExecSetup<Launcher, Initializers> || ...),
                                       (HasOnExecError<Launcher, Initializers> || ...),
                                       (HasOnChildWaiting<Launcher, Initializers> || ...),
                                       common_rules()};

    Launcher& launcher_;
    const Path& exe_;
    std::tuple<Initializers&...> initializers_;
};

}  // namespace syncspawn::for_boost::detail
