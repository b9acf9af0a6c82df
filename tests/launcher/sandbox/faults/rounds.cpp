#include "rounds.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <filesystem>
#include <system_error>

#include "barrier/linux/proc.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"
#include "support/shared_memory.hpp"

namespace syncspawn::testing {
namespace {

// Calls of numbers that no kernel has, by the launcher.
constexpr long mark_of_begin = 9'000;
constexpr long mark_of_result = 9'001;
constexpr long mark_of_end = 9'002;

template <std::size_t Size>
void copy(char (&to)[Size], const std::string& text) {
    to[text.copy(to, Size - 1)] = '\0';
}

void launch_once(const SyncedSpawner& spawner, Report& report) {
    report.told[0] = '\0';
    syscall(mark_of_begin);
    SpawnError error;
    Process process = spawner.spawn(error);
    syscall(mark_of_result);
    report.launched = !error;
    report.side = error.side();
    report.stage = error.stage();
    report.cause = error.cause();
    report.code = error.code().value();
    report.may_have_run = error.program_may_have_run();
    copy(report.step, error.step());
    copy(report.text, error ? error.what() : "");
    if (process && process.standard_output() >= 0) {
        copy(report.told, read_all(process.standard_output()));
    }
    report.exit_code = error ? 0 : process.wait().shell_code();
}

// A thread that watches the clock for a program ends some time behind it.
std::size_t count_pidfds() {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code ignored;
        const std::string target = std::filesystem::read_symlink(entry.path(), ignored);
        count += target.find("pidfd") != std::string::npos ? 1U : 0U;
    }
    return count;
}

// Of a call that is many in one.
long option_of(const SeenCall& seen) noexcept {
    switch (seen.number) {
        case SYS_prctl:
            return static_cast<long>(seen.arguments[0]) * 100 +
                   (seen.arguments[0] == 47 ? static_cast<long>(seen.arguments[1]) : 0);
        case SYS_keyctl:
        case SYS_seccomp:
            return static_cast<long>(seen.arguments[0]);
        case SYS_fcntl:
        case SYS_ioctl:
        case SYS_fsconfig:
            return static_cast<long>(seen.arguments[1]);
        default:
            return 0;
    }
}

}  // namespace

const char* name_of(Party party) noexcept {
    constexpr const char* names[]{"launcher",          "guardian", "child",
                                  "program's process", "reaper",   "other"};
    return names[static_cast<int>(party)];
}

// ---- who calls ------------------------------------------------------------------------------------

void Parties::begin_round(pid_t launcher) {
    known_ = {{launcher, Party::launcher}};
    launcher_ = launcher;
    processes_ = 0;
    step_ = -1;
    is_launching_ = true;
}

Party Parties::party_of(const SeenCall& seen) {
    const auto known = known_.find(seen.thread);
    if (known != known_.end()) {
        return known->second;
    }
    const auto process = detail::proc::status_number(seen.thread, "Tgid:").value_or(0);
    Party party = Party::others;
    if (process == launcher_) {
        party = Party::launcher;
    } else if (seen.number == SYS_setsid) {  // its first call
        party = Party::guardian;
    } else if (process != host_ && is_launching_) {
        party = processes_ == 0 ? Party::child : processes_ == 1 ? Party::second : Party::others;
        ++processes_;
    }
    return known_[seen.thread] = party;
}

std::optional<Call> Parties::note(const SeenCall& seen) {
    host_ = host_ == 0 ? seen.thread : host_;  // the first call is its
    if (seen.number == mark_of_begin) {
        begin_round(seen.thread);
        return std::nullopt;
    }
    const Party party = party_of(seen);
    if (seen.number == mark_of_result) {
        is_launching_ = false;
    } else if (seen.number >= first_mark && party == Party::child) {
        step_ = static_cast<int>(seen.number - first_mark);
    } else if (seen.number < mark_of_begin && party != Party::others &&
               (party != Party::launcher || is_launching_)) {
        const bool has_steps = party != Party::launcher && party != Party::guardian;
        return Call{party, has_steps ? step_ : -1, seen.number, option_of(seen)};
    }
    return std::nullopt;
}

void Parties::passes(const SeenCall& seen, const Call& call) {
    if (seen.number == SYS_execve || seen.number == SYS_execveat) {
        const bool becomes_reaper = call.party == Party::child && processes_ > 1;
        known_[seen.thread] = becomes_reaper ? Party::reaper : Party::others;
    }
}

// ---- the rounds -----------------------------------------------------------------------------------

std::string Round::step() const {
    return hit.step >= 0 && hit.step < report.step_count ? report.steps[hit.step] : "";
}

std::string first_change(const std::string& undisturbed, std::string told) {
    told.erase(std::min(told.find("trace the first"), told.size()));
    const auto [at, there] =
        std::mismatch(told.begin(), told.end(), undisturbed.begin(), undisturbed.end());
    if (at == told.end()) {
        return {};
    }
    const auto begin = static_cast<std::size_t>(at - told.begin());
    const std::size_t line = begin == 0 ? 0 : told.rfind('\n', begin - 1) + 1;
    return told.substr(line, told.find('\n', begin) - line);
}

void Rounds::prepare() {
    if (caller_ == Caller::ordinary) {
        become_ordinary_user();
    }
    pidfds_ = count_pidfds();
    try {
        Scenario scenario = maker_.make(ground_);
        for (const Step& step : scenario.steps) {
            copy(report_->steps[report_->step_count++], step.name);
        }
        if (launchers_ == Launchers::copies) {
            output_ = UniqueFd(memfd_create("output", MFD_CLOEXEC));
            scenario.options.streams.output = Stdio::descriptor(output_.get());
            prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        }
        spawner_ = std::make_unique<SyncedSpawner>(marked(scenario));
        // What is done once only is done, and what is found out is known.
        launch_once(*spawner_, *report_);
        launch_once(*spawner_, *report_);
    } catch (const std::exception& error) {
        copy(report_->left_out, error.what());
    }
}

void Rounds::launch_for_ever() {
    while (report_->left_out[0] == '\0' && !report_->is_over) {
        launchers_ == Launchers::same ? launch_here() : launch_in_copy();
        syscall(mark_of_end);
    }
    spawner_.reset();
}

void Rounds::launch_here() {
    launch_once(*spawner_, *report_);
    comes_true([this] { return count_pidfds() <= pidfds_; });
}

// It is over when all that came of it has ended.
void Rounds::launch_in_copy() {
    report_->launched = false;
    lseek(output_.get(), 0, SEEK_SET);
    (void)!ftruncate(output_.get(), 0);
    if (fork() == 0) {
        launch_once(*spawner_, *report_);
        _exit(0);
    }
    while (waitpid(-1, nullptr, __WALL) >= 0 || errno == EINTR) {
    }
    lseek(output_.get(), 0, SEEK_SET);
    copy(report_->told, read_all(output_.get()));
}

bool Rounds::run(const Chooser& choose, const std::function<void(const Round&)>& judge) {
    choose_ = &choose;
    judge_ = &judge;
    const auto status =
        supervise({.prepare = [this] { prepare(); }, .work = [this] { launch_for_ever(); }},
                  [this](const SeenCall& seen) { return judge_call(seen); });
    if (!status) {
        why_not_ = "system calls cannot be supervised here (seccomp user notifications)";
    } else if (report_->left_out[0] != '\0') {
        why_not_ = std::string(maker_.name) + ": " + report_->left_out;
    }
    return why_not_.empty();
}

Sentence Rounds::judge_call(const SeenCall& seen) {
    if (seen.number == mark_of_begin) {
        counts_.clear();
        hit_.reset();
    } else if (seen.number == mark_of_end) {
        end_round();
    }
    const std::optional<Call> call = parties_.note(seen);
    if (!call) {
        return Sentence::passes();
    }
    const int occurrence = ++counts_[*call];
    if (count_ == 0) {
        order_.emplace_back(*call, occurrence);
    }
    if (target_ && is_hit(*call, occurrence)) {
        hit_ = hit_.value_or(*call);
        if (target_->kills_launcher) {
            kill(parties_.launcher(), SIGKILL);
        }
        if (target_->sentence.is_death() || target_->sentence.error() != 0) {
            return target_->sentence;
        }
    }
    parties_.passes(seen, *call);
    return Sentence::passes();
}

bool Rounds::is_hit(const Call& call, int occurrence) const {
    if (target_->occurrence != 0) {
        return call == target_->call && occurrence == target_->occurrence;
    }
    return call.party != Party::launcher && call.number == target_->call.number &&
           call.option == target_->call.option;
}

std::string Rounds::what_is_left() const {
    const std::string launcher = "/proc/" + std::to_string(parties_.host());
    std::vector<std::string> lines;
    for (const auto& entry : std::filesystem::directory_iterator(launcher + "/fd")) {
        std::error_code ignored;
        lines.push_back("descriptor " + entry.path().filename().string() + ": " +
                        std::filesystem::read_symlink(entry.path(), ignored).string());
    }
    std::sort(lines.begin(), lines.end());
    for (const auto& thread : std::filesystem::directory_iterator(launcher + "/task")) {
        lines.push_back("children: " + read_file(thread.path().string() + "/children"));
    }
    std::erase(lines, "children: ");
    std::string text = std::to_string(count_children()) + " of this process\n";
    for (const std::string& line : lines) {
        text += line + "\n";
    }
    return text + ground_.listing() + read_file(launcher + "/mountinfo");
}

void Rounds::end_round() {
    ground_.remove_what_was_tried();
    const std::string left = what_is_left();
    if (count_ == 0) {
        told_ = report_->told;
        left_ = left;
        plan();
    } else if (target_ && (hit_ || !report_->launched || told_ != report_->told)) {
        (*judge_)({*target_, hit_.value_or(Call{}), *report_, left == left_ ? "" : left});
    }
    ++count_;
    target_.reset();
    report_->is_over = targets_.empty();
    if (!targets_.empty()) {
        target_ = targets_.back();
        targets_.pop_back();
    }
}

void Rounds::plan() {
    Call before{};
    Call earlier{};
    for (const auto& [call, occurrence] : order_) {
        if (is_new(call, before, earlier)) {
            const std::vector<Target> targets = (*choose_)(call, occurrence);
            targets_.insert(targets_.end(), targets.begin(), targets.end());
        }
        earlier = std::exchange(before, call);
    }
    std::reverse(targets_.begin(), targets_.end());
}

bool Rounds::is_new(const Call& call, const Call& before, const Call& earlier) {
    const std::string step =
        call.step >= 0 && call.step < report_->step_count ? report_->steps[call.step] : "";
    return known_
        .insert({call.party, step, call.number, call.option, before.number, before.option,
                 earlier.number})
        .second;
}

}  // namespace syncspawn::testing
