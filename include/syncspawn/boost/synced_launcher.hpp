#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <syncspawn/boost/async_barrier.hpp>
#include <syncspawn/boost/detail/argument_list.hpp>
#include <syncspawn/boost/detail/child_report.hpp>
#include <syncspawn/boost/detail/hooks.hpp>
#include <syncspawn/boost/launch_error.hpp>
#include <syncspawn/boost/process.hpp>
#include <syncspawn/boost/version.hpp>
#include <syncspawn/launcher/synced_spawner.hpp>

/// syncspawn::for_boost::SyncedLauncher: a launcher of Boost.Process v2 whose child waits for its parent.
///
///     syncspawn::for_boost::SyncedLauncher launcher;
///     launcher.options.birth.namespaces = syncspawn::Namespaces::user;
///     launcher.step({.name = "uid map", .parent = write_map});
///     v2::process child = launcher(context, "/usr/bin/id", {"-u"}, v2::process_stdio{{}, out, {}});
///
/// docs/boost.md is the guide.

namespace syncspawn::for_boost {

class BarrierInitializer;

namespace detail {

// The parent's side of a barrier beyond execve, and what it watches. A copy is empty.
struct HandedOver {
    HandedOver() = default;
    HandedOver(Barrier its_side, UniqueFd its_pidfd)
        : peer_pidfd(std::move(its_pidfd)), side(std::move(its_side)) {}
    HandedOver(HandedOver&&) noexcept = default;
    HandedOver& operator=(HandedOver&&) noexcept = default;
    HandedOver(const HandedOver&) noexcept {}
    HandedOver& operator=(const HandedOver& other) noexcept {
        if (this != &other) {
            *this = HandedOver();
        }
        return *this;
    }
    ~HandedOver() = default;

    UniqueFd peer_pidfd;
    Barrier side;
};

}  // namespace detail

/// Takes the initializers of Boost.Process and yours as they are: any subset of on_setup, on_exec_setup,
/// on_success, on_error, on_fork_error and on_exec_error. One hook more runs in the parent:
///
///     error_code on_child_waiting(Launcher&, const filesystem::path&, const char* const*& argv)
///
/// after every on_exec_setup and before execve, with the child's id in `launcher.pid`. If any hook or
/// step on either side fails the program does not run, the other side is unwound, the child is reaped,
/// on_error (after a failed start on_fork_error, too) runs, and the hook's own error code is the caller's.
/// In on_error `launcher.pid` is the id that the child had, or -1; in the child's own hooks it is 0.
///
/// The child's hooks run with all of the parent's descriptors open; the program gets those in
/// fd_whitelist. A number that a hook fills must be there by the end of on_setup. By default the child is
/// started in constant time if all child hooks may share memory: see child_rules_of, StartMethod.
///
/// Can be used again, as it was before: what hooks do to env, fd_whitelist and options lasts for one
/// launch. One launch at a time; copies are independent.
class SyncedLauncher : public v2::posix::default_launcher {
public:
    /// What is beyond the hooks: birth, deadlines, readiness ... The launch itself fills program,
    /// arguments, environment and `descriptors.others`. What ends the program is basic_process,
    /// which kills it, not `ending`. The streams are process_stdio's to bind: nobody would get the end of a
    /// Stdio::pipe().
    SpawnOptions options{.program = {}, .environment = {}};

    /// As SyncedSpawner::step(); steps come before the initializers' hooks.
    SyncedLauncher& step(Step step) {
        entries_.push_back({std::move(step), {}});
        return *this;
    }
    /// As SyncedSpawner::rendezvous().
    SyncedLauncher& rendezvous(std::string name) {
        entries_.push_back({{}, std::move(name)});
        return *this;
    }

    /// Launches: `where` is an executor or an execution context, `exe` a path that is not looked up in
    /// PATH, `arguments` a range of strings or a null-terminated argv. Throws LaunchError, which is a
    /// boost::system::system_error. Both forms throw std::invalid_argument for options, steps and hooks
    /// that can never work together, std::bad_alloc, and what on_setup and on_success throw.
    template <class ExecutorOrContext, class Arguments = std::initializer_list<std::string_view>,
              class... Initializers>
    auto operator()(ExecutorOrContext&& where, const v2::filesystem::path& exe,
                    Arguments&& arguments, Initializers&&... initializers) {
        error_code error;
        auto process = launch(detail::executor_of(where), error, exe, arguments, initializers...);
        if (error_) {
            throw LaunchError(error, error_);
        }
        return process;
    }
    /// The same with the error in `error`, which is cleared on success.
    template <class ExecutorOrContext, class Arguments = std::initializer_list<std::string_view>,
              class... Initializers>
    auto operator()(ExecutorOrContext&& where, error_code& error, const v2::filesystem::path& exe,
                    Arguments&& arguments, Initializers&&... initializers) {
        return launch(detail::executor_of(where), error, exe, arguments, initializers...);
    }

    /// Why the last launch failed, with side, stage and hint; no error if it did not.
    [[nodiscard]] const SpawnError& error() const noexcept { return error_; }

    /// The barrier of the last launch, with options.readiness.hand_over or .within; once. std::logic_error
    /// if there is none.
    template <class ExecutorOrContext>
    auto take_barrier(ExecutorOrContext&& where) {
        auto executor = detail::executor_of(where);
        if (!handed_over_.side.is_open()) {
            throw std::logic_error("syncspawn::for_boost: no barrier was handed over");
        }
        return BasicAsyncBarrier<decltype(executor)>(
            std::move(executor), std::move(handed_over_.side), std::move(handed_over_.peer_pidfd));
    }

private:
    friend class BarrierInitializer;

    struct Entry {
        Step step;
        std::string rendezvous;
    };
    // Puts back what the hooks of one launch may change.
    class Restored {
    public:
        explicit Restored(SyncedLauncher& launcher)
            : launcher_(launcher),
              env_(launcher.env),
              fd_whitelist_(launcher.fd_whitelist),
              options_(launcher.options) {}
        ~Restored() {
            launcher_.env = env_;
            launcher_.fd_whitelist = std::move(fd_whitelist_);
            launcher_.options = std::move(options_);
        }
        Restored(const Restored&) = delete;
        Restored& operator=(const Restored&) = delete;

    private:
        SyncedLauncher& launcher_;
        decltype(default_launcher::env) env_;
        std::vector<int> fd_whitelist_;
        SpawnOptions options_;
    };

    template <class Executor, class Arguments, class... Initializers>
    v2::basic_process<Executor> launch(Executor executor, error_code& error,
                                       const v2::filesystem::path& exe, const Arguments& arguments,
                                       Initializers&... initializers) {
        if (env == env_of_process_) {  // setenv(3) may have moved it since
            env = env_of_process_ = ::environ;
        }
        const Restored restored(*this);
        const detail::ArgumentList list(exe, arguments);
        detail::Arguments argv = list.argv();
        detail::Hooks<SyncedLauncher, Initializers...> hooks(*this, exe, argv, initializers...);
        Process process = launch(error, exe, argv, hooks);
        if (!process) {
            return v2::basic_process<Executor>(std::move(executor));
        }
        auto result = as_boost_process(std::move(executor), std::move(process));
        hooks.on_success();
        return result;
    }

    // The program, or none and the error. Not a template: it is the same for all initializers.
    Process launch(error_code& error, const v2::filesystem::path& exe,
                   const detail::Arguments& argv, detail::AnyHooks& hooks) {
        pid = -1;
        error_ = SpawnError();
        handed_over_ = detail::HandedOver();
        Process process;
        detail::HookName failed;
        error = hooks.on_setup(failed);
        if (error) {
            error_ = SpawnError::in_preparation(failed.c_str(), error);
        } else if (exe.empty()) {
            error = error_code(ENOENT, boost::system::system_category());
            error_ = SpawnError::in_preparation("execve ''", error);
        } else {
            process = start(error, exe, argv, hooks);
        }
        if (error_) {
            pid = error_.child_pid();
            if (error_.stage() == Stage::start && error_.side() == WhichSide::parent) {
                hooks.on_fork_error(error);
            }
            hooks.on_error(error);
            return {};
        }
        pid = process.pid();
        if (options.readiness.hand_over == HandOver::barrier || options.readiness.within) {
            handed_over_.peer_pidfd.reset(fcntl(process.pidfd(), F_DUPFD_CLOEXEC, 3));
            handed_over_.side = process.take_barrier();
            (void)handed_over_.side.watch_peer(handed_over_.peer_pidfd.get());
        }
        return process;
    }

    Process start(error_code& error, const v2::filesystem::path& exe, detail::Arguments argv,
                  detail::AnyHooks& hooks) {
        Process process;
        error_code parents_error;
        std::optional<detail::ChildReport> report;
        try {
            if (hooks.traits().have_exec_setup) {
                report.emplace();
            }
            SyncedSpawner wanted = spawner(exe, argv, hooks, report, parents_error);
            pid = 0;  // as the child sees it, whose memory this may be
            process = wanted.spawn(error_);
        } catch (const std::system_error& failure) {
            error_ = SpawnError::in_preparation("mmap", failure.code());
        } catch (...) {  // options that can never work, or no memory
            pid = -1;
            hooks.on_error(error_code(EINVAL, boost::system::system_category()));
            throw;
        }
        if (error_) {
            error = own_code(report, parents_error);
        }
        return process;
    }

    // The launch in the words of the core: the hooks are one last step.
    SyncedSpawner spawner(const v2::filesystem::path& exe, detail::Arguments argv,
                          detail::AnyHooks& hooks, std::optional<detail::ChildReport>& report,
                          error_code& parents_error) {
        SpawnOptions wanted = options;
        wanted.program = exe.native();
        wanted.program_search = ProgramSearch::none;
        wanted.arguments.clear();
        if (argv != nullptr && *argv != nullptr) {
            wanted.argument_zero = *argv;
            for (const char* const* one = argv + 1; *one != nullptr; ++one) {
                wanted.arguments.emplace_back(*one);
            }
        }
        wanted.environment = Environment::copy_of(env);
        wanted.descriptors.others = OtherDescriptors::leave;
        for (const int fd : fd_whitelist) {
            // The launch cannot have a number that is open here, so only of the others there is any need.
            if (fd > STDERR_FILENO && fcntl(fd, F_GETFD) < 0 && can_be_filled(fd)) {
                wanted.descriptors.filled_by_parts.push_back(fd);
            }
        }
        SyncedSpawner result(std::move(wanted));
        for (const Entry& entry : entries_) {
            entry.rendezvous.empty() ? result.step(entry.step)
                                     : result.rendezvous(entry.rendezvous);
        }
        Step step{.name = "initializers"};
        step.child = {hooks.traits().child_rules,
                      [this, argv, envp = env, &hooks, &report](ChildSide& side) {
                          detail::HookName failed;
                          if (const error_code failure = hooks.on_exec_setup(failed)) {
                              report->set(failure);
                              tell_of(failure, hooks);
                              return side.fail(errno_of(failure), failed.c_str());
                          }
                          if (hooks.argv() != argv) {
                              side.replace_arguments(hooks.argv());
                          }
                          if (env != envp) {
                              side.replace_environment(env);
                          }
                          return side.keep_only(fd_whitelist);
                      }};
        if (hooks.traits().have_exec_error) {
            step.exec_failed = [&hooks](ChildSide&) {
                hooks.on_exec_error(error_code(errno, boost::system::system_category()));
            };
        }
        if (hooks.traits().have_child_waiting) {
            step.order = StepOrder::child_first;
            step.parent = [this, &hooks, &parents_error](ParentSide& side) -> std::error_code {
                detail::HookName failed;
                pid = side.child_pid();
                parents_error = hooks.on_child_waiting(failed);
                pid = 0;  // for the child's on_exec_error
                return parents_error ? side.fail(errno_of(parents_error), failed.c_str())
                                     : side.done();
            };
        }
        result.step(std::move(step));
        return result;
    }

    // In the child. What the hook itself said is not lost by another that throws.
    static void tell_of(const error_code& failure, detail::AnyHooks& hooks) noexcept {
        try {
            hooks.on_exec_error(failure);
        } catch (...) {  // NOLINT(bugprone-empty-catch)
        }
    }

    static bool can_be_filled(int fd) noexcept {
        rlimit limit{};
        return getrlimit(RLIMIT_NOFILE, &limit) == 0 && static_cast<rlim_t>(fd) < limit.rlim_cur;
    }

    static int errno_of(const error_code& error) noexcept {
        if (detail::ChildReport::is_of_std(error)) {
            const std::error_code inner = error;
            const bool is_errno = inner.category() == std::generic_category() ||
                                  inner.category() == std::system_category();
            return is_errno ? inner.value() : ECANCELED;
        }
        const bool is_errno = error.category() == boost::system::system_category() ||
                              error.category() == boost::system::generic_category();
        return is_errno ? error.value() : ECANCELED;
    }

    // That of the hook which failed, else the errno of the launch.
    error_code own_code(const std::optional<detail::ChildReport>& report,
                        const error_code& parents_error) {
        error_code own;
        if (error_.stage() == Stage::step && error_.step() == "initializers" &&
            error_.cause() == Cause::error) {
            own = error_.side() == WhichSide::parent ? parents_error
                                                     : (report ? report->get() : error_code());
        }
        if (!own) {
            return {error_.code().value(), boost::system::system_category()};
        }
        error_ = error_.with_code(own);
        return own;
    }

    decltype(default_launcher::env) env_of_process_ = env;
    std::vector<Entry> entries_;
    SpawnError error_;
    detail::HandedOver handed_over_;
};

}  // namespace syncspawn::for_boost
