#pragma once

#include <array>
#include <concepts>
#include <string_view>
#include <tuple>
#include <type_traits>

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

template <class Type>
constexpr std::string_view pretty_function() {
    return __PRETTY_FUNCTION__;
}

/// The name of a type, less its namespaces: known to the compiler, so the child needs no allocation.
template <class Type>
constexpr std::string_view name_of() {
    constexpr std::string_view sample = pretty_function<double>();
    constexpr std::size_t before = sample.find("double");
    constexpr std::size_t behind = sample.size() - before - std::string_view("double").size();
    std::string_view name = pretty_function<Type>();
    name = name.substr(before, name.size() - before - behind);
    int depth = 0;  // of brackets
    for (std::size_t at = name.size(); at > 0; --at) {
        const char letter = name[at - 1];
        if (letter == '>' || letter == ')') {
            ++depth;
        } else if (letter == '<' || letter == '(') {
            --depth;
        } else if (letter == ':' && depth == 0) {
            return name.substr(at);
        }
    }
    return name;
}

/// What an error says of a hook that failed: "on_exec_setup of process_start_dir '/srv'". Cut where
/// Side::fail() would cut it, too. Async-signal-safe.
class HookName {
public:
    [[nodiscard]] const char* c_str() const noexcept { return text_.data(); }

    template <class Initializer>
    void set(const char* hook, const Initializer& initializer) noexcept {
        size_ = 0;
        append(hook);
        append(" of ");
        append(name_of<Initializer>());
        if constexpr (std::is_same_v<Initializer, v2::process_start_dir>) {
            append(" '");
            append(initializer.start_dir.c_str());
            append("'");
        }
    }

private:
    void append(std::string_view text) noexcept {
        for (const char letter : text.substr(0, text_.size() - 1 - size_)) {
            text_[size_++] = letter;
        }
    }
    std::array<char, 121> text_{};
    std::size_t size_ = 0;
};

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

/// The hooks of one launch, whatever initializers they are of: what uses them is compiled but once.
class AnyHooks {
public:
    AnyHooks(const AnyHooks&) = delete;
    AnyHooks& operator=(const AnyHooks&) = delete;
    virtual ~AnyHooks() = default;

    struct Traits {
        bool have_exec_setup;
        bool have_exec_error;
        bool have_child_waiting;
        ChildRules child_rules;  ///< the strictest that any of the child hooks needs
    };
    [[nodiscard]] const Traits& traits() const noexcept { return traits_; }
    /// As the hooks have left it.
    [[nodiscard]] Arguments argv() const noexcept { return argv_; }

    /// The first error of each; `failed` says whose it is.
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

/// The initializers of one launch and what is handed to each of their hooks. Refers to all of it.
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
    static constexpr ChildRules strictest_rules() {
        ChildRules rules = ChildRules::shared_memory;
        ((rules = strictest<Initializers>(rules)), ...);
        return rules;
    }
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
                                       strictest_rules()};

    Launcher& launcher_;
    const Path& exe_;
    std::tuple<Initializers&...> initializers_;
};

}  // namespace detail
}  // namespace syncspawn::for_boost
