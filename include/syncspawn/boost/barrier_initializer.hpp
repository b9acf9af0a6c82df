#pragma once

#include <cerrno>
#include <concepts>
#include <functional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/hand_over.hpp>
#include <syncspawn/boost/synced_launcher.hpp>
#include <syncspawn/boost/version.hpp>

/// syncspawn::for_boost::BarrierInitializer: the program tells you when it is ready, even if you must keep
/// the launcher that you have. Here both are one program, which executes itself:
///
///     #include <boost/asio/io_context.hpp>
///     #include <chrono>
///     #include <syncspawn/boost.hpp>
///
///     using namespace std::chrono_literals;
///     using syncspawn::Outcome;
///
///     int main(int argc, char**) {
///         if (argc > 1) {  // the program
///             return syncspawn::attach().place_and_sync() == Outcome::reached ? 0 : 1;
///         }
///         boost::asio::io_context context;
///         syncspawn::for_boost::BarrierInitializer ready;
///         boost::process::v2::process child(context, "/proc/self/exe", {"program"}, ready);
///         const auto deadline = std::chrono::steady_clock::now() + 60s;
///         const bool met = ready.barrier().place_and_sync_until(deadline) == Outcome::reached;
///         return met ? child.wait() : 1;
///     }
///
/// A program in another language attaches by the command `syncspawn barrier`.

namespace syncspawn::for_boost {

/// Any launcher of Boost.Process, but not SyncedLauncher, which can do all this by itself.
template <class Launcher>
concept StockLauncher = std::derived_from<Launcher, v2::posix::default_launcher> &&
    !std::derived_from<Launcher, SyncedLauncher>;

/// Make one for each launch, and keep it where it is until the launch is over. Among the initializers put it
/// behind process_environment: that replaces the environment, and with it the variables by which the program
/// finds its barrier. In the wrong order the launch fails with EINVAL.
///
/// A stock launcher tells nobody of its child before the program runs. If the parent has something to do
/// before execve, use SyncedLauncher; its options.readiness.hand_over replaces this class.
///
/// Use it in one thread at a time.
class BarrierInitializer {
public:
    using Hook = std::function<void(Barrier&)>;

    BarrierInitializer() = default;
    /// Calls `once_it_runs` in the parent, with the parent's side, as soon as the program runs.
    explicit BarrierInitializer(Hook once_it_runs) : once_it_runs_(std::move(once_it_runs)) {}
    BarrierInitializer(const BarrierInitializer&) = delete;
    BarrierInitializer& operator=(const BarrierInitializer&) = delete;

    /// The parent's side, once the launch has succeeded; before that this throws std::logic_error. You may
    /// move it out, for example into an AsyncBarrier, but keep this object as long: if the barrier watches
    /// a pidfd, this object owns it.
    [[nodiscard]] Barrier& barrier() {
        if (!runs_) {
            throw std::logic_error("syncspawn::for_boost: the program does not run");
        }
        return handed_over_.side;
    }

    // The hooks; Boost calls them. With a SyncedLauncher they merely ask for its own hand-over.

    error_code on_setup(SyncedLauncher& launcher, const v2::filesystem::path&, const char* const*) {
        runs_ = false;
        launcher.options.readiness.hand_over = HandOver::barrier;
        return {};
    }
    void on_success(SyncedLauncher& launcher, const v2::filesystem::path&, const char* const*) {
        handed_over_ = std::move(launcher.handed_over_);
        has_started();
    }

    template <StockLauncher Launcher>
    error_code on_setup(Launcher& launcher, const v2::filesystem::path&, const char* const*) {
        runs_ = false;
        std::error_code error;
        handed_over_ = {Barrier::create(error), UniqueFd()};
        if (error) {
            return {error.value(), boost::system::system_category()};
        }
        entries_.clear();
        for (const char* const* one = launcher.env; one != nullptr && *one != nullptr; ++one) {
            if (!is_barrier_variable(*one)) {
                entries_.push_back(*one);
            }
        }
        // The child fills these in.
        entries_.insert(entries_.end(), {variables_.local_fd, variables_.remote_fd,
                                         variables_.pipe_fd, variables_.state, nullptr});
        launcher.env = entries_.data();
        launcher.fd_whitelist.reserve(launcher.fd_whitelist.size() + room_for_fds);
        return {};
    }
    template <StockLauncher Launcher>
    error_code on_exec_setup(Launcher& launcher, const v2::filesystem::path&, const char* const*) {
        if (launcher.env != entries_.data()) {  // another initializer has replaced it since
            return fail(EINVAL);
        }
        // A copy, for the child of a vfork_launcher has the memory of the parent, who keeps its own side.
        syncspawn_barrier side = *handed_over_.side.native();
        int error = syncspawn_barrier_set_role(&side, SYNCSPAWN_CHILD);
        if (error == 0) {
            error = syncspawn_barrier_export(&side, lowest_fd, &variables_);
        }
        if (error != 0) {
            return fail(-error);
        }
        for (const int fd : {side.local_fd, side.remote_fd, side.pipe_write_fd}) {
            launcher.fd_whitelist.push_back(fd);
        }
        return {};
    }
    template <StockLauncher Launcher>
    void on_success(Launcher&, const v2::filesystem::path&, const char* const*) {
        (void)handed_over_.side.set_role(Role::parent);
        (void)handed_over_.side.distrust_peer();  // which is the program by now
        has_started();
    }

    void on_error(v2::posix::default_launcher&, const v2::filesystem::path&, const char* const*,
                  const error_code&) {
        handed_over_ = detail::HandedOver();
    }

private:
    static constexpr std::size_t room_for_fds = 3;
    static constexpr int lowest_fd = 10;  // above what the program may expect to be free

    // Up to Boost 1.89 the stock launchers report errno, whatever a hook returns.
    static error_code fail(int error) {
        errno = error;
        return {error, boost::system::system_category()};
    }

    void has_started() {
        runs_ = true;
        if (once_it_runs_) {
            once_it_runs_(handed_over_.side);
        }
    }

    Hook once_it_runs_;
    detail::HandedOver handed_over_;
    BarrierEnvironment variables_{};
    std::vector<const char*> entries_;
    bool runs_ = false;
};

}  // namespace syncspawn::for_boost
