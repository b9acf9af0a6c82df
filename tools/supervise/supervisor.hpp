#pragma once

#include <poll.h>
#include <sys/signalfd.h>

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "descendants.hpp"
#include "held_signals.hpp"
#include "job.hpp"
#include "start_notice.hpp"
#include "supervise.hpp"
#include "terminal_session.hpp"

namespace syncspawn::tools {

inline bool has_passed(const std::optional<Deadline>& deadline) {
    return deadline && std::chrono::steady_clock::now() >= *deadline;
}

// The event loop behind supervise(): for one launch.
class Supervisor {
public:
    Supervisor(const SyncedSpawner& spawner, const Supervision& supervision,
               const HeldSignals& signals, const Descendants& descendants);
    Outcome run();

private:
    // Until the program runs.
    void launch();
    void look_at_the_launch();
    void note_that_the_program_runs();
    void conclude_failure();

    // Until it has ended.
    void attend();
    void look_at_the_program();
    void look_at_the_clock();
    void look_at_the_terminal();
    void deal_with(const signalfd_siginfo& signal);
    void end_by_timeout();
    void hang_up();
    void send(int signal);
    [[nodiscard]] bool is_over() const;
    void conclude();

    // Both.
    void wait();
    void take_signals();
    void serve_clients();
    void tell(const std::function<void(Observer&)>& what);

    const SyncedSpawner& spawner_;
    const Supervision& how_;
    const HeldSignals& signals_;
    const Descendants& descendants_;

    Launch launch_;
    Process process_;
    std::optional<Job> job_{};
    std::optional<TerminalSession> session_{};
    StartNotice notice_;
    std::vector<pollfd> watched_{};
    std::vector<signalfd_siginfo> arrived_{};  // to be dealt with once the program runs
    std::optional<Deadline> times_out_at_{};
    std::optional<Deadline> kills_at_{};
    bool program_runs_ = false;
    bool has_ended_ = false;
    bool children_have_changed_ = false;
    Outcome outcome_{};
};

}  // namespace syncspawn::tools
