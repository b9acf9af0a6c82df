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
#include <syncspawn/boost/detail/handed_over.hpp>
#include <syncspawn/boost/detail/hooks.hpp>
#include <syncspawn/boost/launch_error.hpp>
#include <syncspawn/boost/process.hpp>
#include <syncspawn/boost/version.hpp>
#include <syncspawn/launcher/synced_spawner.hpp>

/// syncspawn::for_boost::SyncedLauncher: a launcher for Boost.Process v2 whose child waits for its parent.
///
///     #include <boost/asio/io_context.hpp>
///     #include <boost/asio/readable_pipe.hpp>
///     #include <cstdio>
///     #include <syncspawn/boost.hpp>
///
///     namespace v2 = boost::process::v2;
///     using syncspawn::for_boost::SyncedLauncher;
///
///     struct Announce {  // an initializer like any other, with a hook that only this launcher calls
///         boost::system::error_code on_child_waiting(SyncedLauncher& launcher, const auto&, auto&) {
///             std::printf("%d waits; now is the time for its id maps and its cgroup\n", launcher.pid);
///             return {};
///         }
///     };
///
///     int main() {
///         boost::asio::io_context context;
///         boost::asio::readable_pipe output(context);
///         SyncedLauncher launcher;
///         v2::process child =
///             launcher(context, "/bin/echo", {"hello"}, v2::process_stdio{{}, output, {}}, Announce());
///         return child.wait();
///     }
///
/// docs/boost.md is the guide.

namespace syncspawn::for_boost {

class BarrierInitializer;

/// Your initializers, and those of Boost, work as they are: each may have any of on_setup, on_exec_setup,
/// on_success, on_error, on_fork_error and on_exec_error. This launcher calls one more:
///
///     error_code on_child_waiting(Launcher&, const filesystem::path&, const char* const*& argv)
///
/// It runs in the parent, while the child waits: behind every on_exec_setup, before execve. `launcher.pid` is
/// the child's id.
///
/// Failure. If a hook or a step fails on either side, the program does not run. The steps are undone, the
/// child is reaped, on_error runs (on_fork_error before it, if there was no child), and you get the error
/// code that the hook returned. In on_error `launcher.pid` is the id that the child had, or -1. In the
/// child's own hooks it is 0.
///
/// Descriptors. The child's hooks see all of the parent's descriptors; the program gets those in
/// fd_whitelist. If a hook fills a number by dup2, put that number on the list by the end of on_setup.
///
/// Cost. A launch takes the same time however large the parent is, if all child hooks may share its memory:
/// see child_rules.hpp, and StartMethod for what the system must have.
///
/// Use it as often as you like, for one launch at a time. What hooks change in env, fd_whitelist and options
/// is put back after the launch. Copies are independent.
class SyncedLauncher : public v2::posix::default_launcher {
public:
    /// All that is not a hook's business: namespaces and cgroup at birth, deadlines, readiness. Some members
    /// are not yours to set. Each launch fills in program, arguments, environment and `descriptors.others`.
    /// `ending.stop` has no effect: the destructor of a basic_process kills. Bind the streams with
    /// process_stdio: nobody would get the parent's end of a Stdio::pipe().
    SpawnOptions options{.program = {}, .environment = {}};

    /// Adds a step, as SyncedSpawner::step() does. Steps come before the initializers' hooks.
    SyncedLauncher& step(Step step) {
        entries_.push_back({std::move(step), {}});
        return *this;
    }
    /// Adds a rendezvous, as SyncedSpawner::rendezvous() does.
    SyncedLauncher& rendezvous(std::string name) {
        entries_.push_back({{}, std::move(name)});
        return *this;
    }

    /// Launches, and returns a basic_process once the program runs (and is ready, with readiness.within).
    /// `where` is an executor or an execution context, `exe` a path (PATH is not searched), and `arguments` a
    /// range of strings, or an argv that ends in a null pointer.
    ///
    /// Throws LaunchError, which is a boost::system::system_error. Both this form and the next throw
    /// std::invalid_argument if options, steps and hooks can never work together; std::bad_alloc; and
    /// whatever on_setup and on_success throw.
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
    /// The same, but a failed launch sets `error` and returns an empty process. Success clears `error`.
    template <class ExecutorOrContext, class Arguments = std::initializer_list<std::string_view>,
              class... Initializers>
    auto operator()(ExecutorOrContext&& where, error_code& error, const v2::filesystem::path& exe,
                    Arguments&& arguments, Initializers&&... initializers) {
        return launch(detail::executor_of(where), error, exe, arguments, initializers...);
    }

    /// Why the last launch failed: side, stage, step and hint. "No error" if it succeeded.
    [[nodiscard]] const SpawnError& error() const noexcept { return error_; }

    /// The parent's side of the barrier, if options.readiness.hand_over or .within asked for one. It can be
    /// taken once for each launch. Throws std::logic_error if there is none.
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
    // What hooks change lasts for one launch: this puts it back.
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

    // The same launch for the core: all hooks together are one last step.
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
            // A number that is open here the launch cannot get anyway.
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

    // In the child. An on_exec_error that throws must not hide why the hook failed.
    static void tell_of(const error_code& failure, detail::AnyHooks& hooks) noexcept {
        try {
            hooks.on_exec_error(failure);
        } catch (...) {  // NOLINT(bugprone-empty-catch): the first failure counts
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
