#include "status_lines.hpp"

#include <unistd.h>

#include "barrier/linux/proc.hpp"
#include "status_words.hpp"
#include "tools/hooks/hooks.hpp"

namespace syncspawn::tools {
namespace {

constexpr int version = 1;
constexpr pid_t not_yet_known = 0;
// For the last lines, where nobody may read them.
constexpr auto patience = std::chrono::seconds(1);

JsonObject line_at(std::chrono::nanoseconds at, std::string_view event) {
    JsonObject line;
    line.seconds("time", at).text("event", event);
    return line;
}

void add_status(JsonObject& line, const ExitStatus& status) {
    if (status.kind() == ExitStatus::Kind::exited) {
        line.number("code", status.code());
    } else if (status.kind() == ExitStatus::Kind::killed) {
        line.number("signal", status.signal()).text("signal-name", signal_name(status.signal()));
        if (status.core_dumped()) {
            line.raw("core-dumped", "true");
        }
    }
}

// The kernel counts for the program what the child had before its execve: no more than we have ever had.
std::string usage_of(const ResourceUsage& usage) {
    JsonObject members;
    members.seconds("user", usage.user_time).seconds("system", usage.system_time);
    members.number("max-rss", static_cast<std::int64_t>(usage.max_resident_bytes));
    if (const auto own = detail::proc::status_number("self", "VmHWM:")) {
        members.number("max-rss-floor", *own * 1024);
    }
    return members.to_string();
}

// Empty for what is told by an event of its own.
JsonObject step_line(const TimelineEvent& event) {
    JsonObject line = line_at(event.at, "step");
    line.text("side", word_of(event.side)).text("kind", word_of(event.subject));
    return line.text("name", event.name).text("state", word_of(event.moment));
}

}  // namespace

JsonObject StatusLines::event_now(const char* name) const {
    return line_at(clock_.elapsed(), name);
}

void StatusLines::begins() {
    clock_.begin();
    JsonObject line;
    line.number("version", version).seconds("time", {}).text("event", "begin");
    tell(line.seconds("monotonic", clock_.beginning()).number("pid", getpid()));
    has_begun_ = true;
    for (const std::string& what : left_out_) {
        left_out(what);
    }
}

void StatusLines::left_out(const std::string& what) {
    if (has_begun_) {
        tell(event_now("left-out").text("what", what));
    } else {
        left_out_.push_back(what);
    }
}

void StatusLines::tell_steps(const Timeline& timeline, pid_t program) {
    std::array<std::size_t, 2> seen{};
    std::array<bool, 2> is_at_execve{};
    for (const TimelineEvent& event : timeline) {
        const auto side = static_cast<std::size_t>(event.side);
        if (++seen.at(side) <= told_.at(side)) {
            continue;
        }
        is_at_execve.at(side) |= event.subject == TimelineSubject::execve;
        if (is_at_execve.at(side) && program == not_yet_known) {
            continue;
        }
        ++told_.at(side);
        const bool is_seen_by_us =
            event.side == WhichSide::parent && event.moment == TimelineMoment::end;
        if (is_seen_by_us && event.subject == TimelineSubject::execve) {
            tell(line_at(event.at, "exec").number("pid", program));
        } else if (is_seen_by_us && event.subject == TimelineSubject::readiness) {
            tell(line_at(event.at, "ready"));
        } else {
            tell(step_line(event));
        }
    }
}

void StatusLines::goes_on(const Launch& launch) { tell_steps(launch.timeline(), not_yet_known); }

void StatusLines::runs(const Process& program) { tell_steps(program.timeline(), program.pid()); }

void StatusLines::failed(const SpawnError& error) {
    tell_steps(error.timeline(), error.child_pid());
    JsonObject line = event_now("failed");
    line.text("side", word_of(error.side())).text("stage", word_of(error.stage()));
    line.text("step", error.step()).text("cause", word_of(error.cause()));
    if (const std::string name = errno_name(error.code());
        error.cause() == Cause::error && !name.empty()) {
        line.text("errno", name);
    }
    if (const auto status = error.status()) {
        add_status(line, *status);
    }
    line.text("message", failure_in_words(error));
    if (!error.hint().empty()) {
        line.text("hint", error.hint());
    }
    tell(line.raw("program-may-have-run", error.program_may_have_run() ? "true" : "false"));
}

void StatusLines::ending(const std::string& why) {
    reason_ = why == "timeout" ? why : "signal";
    tell(event_now("ending").text("why", why));
}

void StatusLines::ended(const Process& program, const ExitStatus& status) {
    JsonObject line = event_now("exit");
    add_status(line, status);
    line.text("reason", reason_);
    if (const auto& usage = program.usage()) {
        line.raw("usage", usage_of(*usage));
    }
    tell(line);
}

void StatusLines::gone() { tell(event_now("gone")); }

void StatusLines::over() { lines_->finish(patience); }

}  // namespace syncspawn::tools
