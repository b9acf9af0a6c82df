#pragma once

#include <poll.h>
#include <unistd.h>

#include <boost/asio/execution_context.hpp>
#include <mutex>
#include <vector>

#include <syncspawn/boost/version.hpp>
#include <syncspawn/launcher/launch.hpp>

namespace syncspawn::for_boost::detail {

/// The launches under way in one execution context. If you destroy that, Asio destroys its operations one
/// after another, and each would wait for its child to end. This list makes it faster: all children are told
/// to end before the first is waited for.
///
/// A context shuts down its youngest service first. So create what the operations wait on before this one.
class Launches : public asio::execution_context::service {
public:
    using key_type = Launches;                     // NOLINT(readability-identifier-naming): Asio's
    inline static asio::execution_context::id id;  // NOLINT: the names of both are its

    explicit Launches(asio::execution_context& context) : service(context) {}

    void add(Launch& launch) {
        const std::lock_guard lock(mutex_);
        launches_.push_back({&launch, getpid()});
    }
    void remove(Launch& launch) noexcept {
        const std::lock_guard lock(mutex_);
        std::erase_if(launches_, [&](const Entry& one) { return one.launch == &launch; });
    }

private:
    struct Entry {
        Launch* launch;
        pid_t owner;
    };

    void shutdown() override {
        const std::lock_guard lock(mutex_);
        // After fork(2) the child has a copy of this list, but the launches are its parent's.
        std::erase_if(launches_, [](const Entry& one) { return one.owner != getpid(); });
        for (const Entry& one : launches_) {
            one.launch->cancel();
        }
        for (const Entry& one : launches_) {
            see_to_its_end(*one.launch);
        }
    }
    static void see_to_its_end(Launch& launch) noexcept {
        try {
            while (!launch.advance()) {
                pollfd watched{launch.descriptor(), POLLIN, 0};
                poll(&watched, 1, -1);
            }
        } catch (...) {  // NOLINT(bugprone-empty-catch): no memory; ~Launch() does the rest
        }
    }

    std::mutex mutex_;
    std::vector<Entry> launches_;
};

/// Keeps a launch on the list of a context. The launch must not move meanwhile.
class LaunchOnList {
public:
    LaunchOnList(asio::execution_context& context, Launch& launch)
        : launches_(asio::use_service<Launches>(context)), launch_(launch) {
        launches_.add(launch_);
    }
    ~LaunchOnList() { launches_.remove(launch_); }
    LaunchOnList(const LaunchOnList&) = delete;
    LaunchOnList& operator=(const LaunchOnList&) = delete;

private:
    Launches& launches_;
    Launch& launch_;
};

}  // namespace syncspawn::for_boost::detail
