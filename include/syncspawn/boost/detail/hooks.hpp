#pragma once

#include <concepts>
#include <tuple>

#include <syncspawn/boost/version.hpp>
#include <syncspawn/launcher/step.hpp>

// Calls the hooks of Boost.Process's initializers, of which each has any subset. By the language and not
// by the library's own dispatch: that never finds the error hooks before Boost 1.88.

namespace syncspawn::for_boost {

/// The rules that an initializer's child hooks (on_exec_setup, on_exec_error) obey. Those of the library
/// that merely make a system call may share memory. Yours say so by a member or a specialization:
///
///     struct Nice {
///         static constexpr auto child_rules = syncspawn::ChildRules::shared_memory;
///         error_code on_exec_setup(...) { ... }
///     };
template <class Initializer>
inline constexpr ChildRules child_rules_of = ChildRules::after_fork;

template <class Initializer>
requires requires { Initializer::child_rules; }
inline constexpr ChildRules child_rules_of<Initializer> = Initializer::child_rules;

template <>
inline constexpr ChildRules child_rules_of<v2::process_stdio> = ChildRules::shared_memory;
template <>
inline constexpr ChildRules child_rules_of<v2::process_start_dir> = ChildRules::shared_memory;
template <>
inline constexpr ChildRules child_rules_of<v2::posix::bind_fd> = ChildRules::shared_memory;

namespace detail {

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

/// The initializers of one launch and what is handed to each of their hooks. Refers to all of it.
template <class Launcher, class... Initializers>
class Hooks {
public:
    Hooks(Launcher& launcher, const Path& exe, Arguments& argv, Initializers&... initializers)
        : launcher_(launcher), exe_(exe), argv_(argv), initializers_(initializers...) {
        static_assert(((HasOnChildWaiting<Launcher, Initializers> ||
                        !CallsOnChildWaiting<Launcher, Initializers>)&&...),
                      "on_child_waiting must return an error_code");
    }

    static constexpr bool have_exec_setup = (HasOnExecSetup<Launcher, Initializers> || ...);
    static constexpr bool have_exec_error = (HasOnExecError<Launcher, Initializers> || ...);
    static constexpr bool have_child_waiting = (HasOnChildWaiting<Launcher, Initializers> || ...);

    /// The strictest rules that any of the child hooks needs.
    static constexpr ChildRules child_rules() {
        ChildRules rules = ChildRules::shared_memory;
        ((rules = strictest<Initializers>(rules)), ...);
        return rules;
    }

    /// As the hooks have left it.
    [[nodiscard]] Arguments argv() const noexcept { return argv_; }

    error_code on_setup() {
        return until_first_error([this]<class One>(One& one) -> error_code {
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
    error_code on_exec_setup() {
        return until_first_error([this]<class One>(One& one) -> error_code {
            if constexpr (HasOnExecSetup<Launcher, One>) {
                return one.on_exec_setup(launcher_, exe_, argv_);
            } else {
                return {};
            }
        });
    }
    error_code on_child_waiting() {
        return until_first_error([this]<class One>(One& one) -> error_code {
            if constexpr (HasOnChildWaiting<Launcher, One>) {
                return one.on_child_waiting(launcher_, exe_, argv_);
            } else {
                return {};
            }
        });
    }
    void on_success() {
        for_each([this]<class One>(One& one) {
            if constexpr (HasOnSuccess<Launcher, One>) {
                one.on_success(launcher_, exe_, argv_);
            }
        });
    }
    void on_error(const error_code& error) {
        for_each([&, this]<class One>(One& one) {
            if constexpr (HasOnError<Launcher, One>) {
                one.on_error(launcher_, exe_, argv_, error);
            }
        });
    }
    void on_fork_error(const error_code& error) {
        for_each([&, this]<class One>(One& one) {
            if constexpr (HasOnForkError<Launcher, One>) {
                one.on_fork_error(launcher_, exe_, argv_, error);
            }
        });
    }
    void on_exec_error(const error_code& error) {
        for_each([&, this]<class One>(One& one) {
            if constexpr (HasOnExecError<Launcher, One>) {
                one.on_exec_error(launcher_, exe_, argv_, error);
            }
        });
    }

private:
    template <class One>
    static constexpr ChildRules strictest(ChildRules rules) {
        if constexpr (HasOnExecSetup<Launcher, One> || HasOnExecError<Launcher, One>) {
            return child_rules_of<One> > rules ? child_rules_of<One> : rules;
        } else {
            return rules;
        }
    }
    template <class Call>
    void for_each(Call call) {
        std::apply([&](auto&... one) { (call(one), ...); }, initializers_);
    }
    template <class Call>
    error_code until_first_error(Call call) {
        error_code error;
        std::apply([&](auto&... one) { (void)((error = call(one), !error) && ...); },
                   initializers_);
        return error;
    }

    Launcher& launcher_;
    const Path& exe_;
    Arguments& argv_;
    std::tuple<Initializers&...> initializers_;
};

}  // namespace detail
}  // namespace syncspawn::for_boost
