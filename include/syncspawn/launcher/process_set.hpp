#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

#include <syncspawn/launcher/process.hpp>

/// syncspawn::ProcessSet: programs that run at the same time. Wait for the first that ends.
///
///     #include <cstdio>
///     #include <string>
///     #include <syncspawn/launcher.hpp>
///
///     int main() {
///         syncspawn::ProcessSet running;
///         for (const char* const seconds : {"0.2", "0.1", "0.3"}) {
///             running.add(syncspawn::SyncedSpawner({.program = "sleep", .arguments = {seconds}}).spawn());
///         }
///         int failures = 0;
///         while (!running.empty()) {
///             syncspawn::Process ended = running.wait_any();  // here you would start the next one
///             std::printf("%d %s\n", ended.pid(), ended.wait().to_string().c_str());
///             failures += ended.wait().success() ? 0 : 1;
///         }
///         return failures;
///     }
///
/// The set owns its programs: those that still run when it is destroyed are ended, each as its `ending.stop`
/// says, one after the other. However many there are, to wait costs the same.
///
/// In an event loop, watch descriptor(), and once it is readable, call try_any() until it gives nothing.

namespace syncspawn {

/// Move-only. Use one object in one thread at a time. No member may be called in a signal handler.
///
/// In the copy of a ProcessSet that fork(2) makes, the destructor just closes descriptors; size() and empty()
/// are those of the moment of the fork, and everything else throws std::logic_error. So it does in one that
/// was moved from.
class SYNCSPAWN_API ProcessSet {
public:
    /// An empty set. Throws std::system_error if there is no room for its descriptor.
    ProcessSet();
    ProcessSet(ProcessSet&&) noexcept;
    ProcessSet& operator=(ProcessSet&&) noexcept;
    ProcessSet(const ProcessSet&) = delete;
    ProcessSet& operator=(const ProcessSet&) = delete;
    ~ProcessSet();

    /// Moves a program in; one that has ended already is as good as any. If this throws, the Process is still
    /// yours: std::system_error if the kernel has no room (fs.epoll.max_user_watches), std::logic_error if it
    /// is empty, or no child of this process.
    void add(Process&& process);
    [[nodiscard]] std::size_t size() const noexcept;
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

    /// Waits until one of them has ended, reaps it, and moves it out: its wait() has the status, its usage()
    /// what it used, and its pipes may still be read. If several have ended, in no particular order. Throws
    /// std::logic_error if the set is empty: that would be for ever.
    Process wait_any();
    /// Waits until then, or for so long, at most. Nothing, too, if the set is empty.
    std::optional<Process> wait_any_until(Deadline deadline);
    std::optional<Process> wait_any_for(std::chrono::nanoseconds time);
    /// Does not wait.
    std::optional<Process> try_any();
    /// Moves the program with this pid out, whether it has ended or not: to signal it, to end it, to talk to
    /// it. Nothing if there is none. (add() it again afterwards.)
    std::optional<Process> take(pid_t pid);

    /// Readable (poll(2)) when one of them has ended. Borrowed, and the same for as long as the set is there.
    /// Before Linux 5.3 it is readable every few milliseconds, and try_any() looks.
    [[nodiscard]] int descriptor() const;

private:
    class Members;
    Members& members() const;
    std::unique_ptr<Members> members_;
};

}  // namespace syncspawn
