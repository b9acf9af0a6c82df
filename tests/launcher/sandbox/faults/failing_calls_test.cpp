#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sockios.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "rounds.hpp"
#include "support/skip.hpp"

// Each system call of a sandboxed launch fails, one after the other. Either the launch says which step has failed and of
// which errno, or the program is as well protected as ever, which it tells itself. Nothing is left in either case.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452  // Linux 6.6
#endif

constexpr long any = -1;
constexpr long read_bounding = PR_CAPBSET_READ * 100L;
constexpr long ask_ambient = PR_CAP_AMBIENT * 100L + PR_CAP_AMBIENT_IS_SET;

struct Kind {
    Party party;
    long number;
    long option;
    const char* why;
};

bool is_one_of(const auto& kinds, const Call& call) {
    return std::any_of(kinds.begin(), kinds.end(), [&call](const Kind& kind) {
        return (kind.party == Party::others || kind.party == call.party) &&
               (kind.number == any || kind.number == call.number) &&
               (kind.option == any || kind.option == call.option);
    });
}

// What no kernel refuses, nor any filter that leaves a process alive. Party::others: whoever calls.
const std::array cannot_fail{
    Kind{Party::others, SYS_close, any, "it closes all the same"},
    Kind{Party::others, SYS_exit, any, "it has no result"},
    Kind{Party::others, SYS_exit_group, any, "it has no result"},
    Kind{Party::others, SYS_getpid, any, "it has no errno"},
    Kind{Party::others, SYS_getppid, any, "it has no errno"},
    Kind{Party::others, SYS_gettid, any, "it has no errno"},
    Kind{Party::others, SYS_geteuid, any, "it has no errno"},
    Kind{Party::others, SYS_umask, any, "it has no errno"},
    Kind{Party::others, SYS_munmap, any, "the library's own memory"},
    Kind{Party::launcher, SYS_futex, any, "the C library aborts"},
    Kind{Party::launcher, SYS_rseq, any, "the C library aborts"},
    Kind{Party::launcher, SYS_set_robust_list, any, "the C library aborts"},
    Kind{Party::launcher, SYS_rt_sigprocmask, any, "the C library's, of valid arguments"},
    Kind{Party::launcher, SYS_mmap, any, "memory is another matter"},
    Kind{Party::launcher, SYS_brk, any, "memory is another matter"},
    Kind{Party::launcher, SYS_mprotect, any, "memory is another matter"},
    Kind{Party::launcher, SYS_madvise, any, "memory is another matter"},
};

// What a launch can do without, and by what it is held then.
const std::array can_do_without{
    Kind{Party::others, SYS_close_range, any, "closes, or marks, one by one"},
    Kind{Party::guardian, any, any, "else the next launch removes what is left"},
    Kind{Party::child, SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING,
         "who may not make a keyring may not use one: the filter is the program's, too"},
    Kind{Party::child, SYS_getgroups, any, "asks whether there are any; else they are set"},
    Kind{Party::child, SYS_setresgid, any, "tries to come back, and is to be refused"},
    Kind{Party::child, SYS_setresuid, any, "tries to come back, and is to be refused"},
    Kind{Party::child, SYS_rt_sigtimedwait, any, "no signal waits"},
    Kind{Party::child, SYS_wait4, any, "asks whether the program has executed: so says the record"},
    Kind{Party::child, SYS_newfstatat, any, "looks at the program, as execve does"},
    Kind{Party::second, SYS_newfstatat, any, "looks at the program, as execve does"},
    Kind{Party::child, SYS_fsconfig, 5, "an overlay's layer by its descriptor: else by its name"},
    Kind{Party::child, SYS_readlinkat, any, "asks whether a link is there; to make it tells"},
    Kind{Party::child, SYS_mount_setattr, any, "mount(2)"},
    Kind{Party::child, SYS_open_tree, any, "mount(2)"},
    Kind{Party::child, SYS_move_mount, any, "mount(2)"},
    Kind{Party::child, SYS_fsopen, any, "mount(2)"},
    Kind{Party::child, SYS_fsconfig, any, "mount(2)"},
    Kind{Party::child, SYS_fsmount, any, "mount(2)"},
    Kind{Party::child, SYS_openat2, any, "name by name"},
    Kind{Party::child, SYS_statx, any, "the root is not kept, but cloned"},
    Kind{Party::child, SYS_ioctl, SIOCGSKNS, "which network namespace this is, /proc says, too"},
    Kind{Party::child, SYS_fchmodat2, any, "before Linux 6.6: fchmod(2) of what is opened"},
    Kind{Party::reaper, SYS_prctl, PR_SET_NAME * 100, "a name"},
    Kind{Party::reaper, SYS_rt_sigtimedwait, any, "waits again"},
    Kind{Party::reaper, SYS_wait4, any, "the program has ended, and nobody else is there"},
    Kind{Party::reaper, SYS_write, any, "the exit code says it, too"},
    Kind{Party::reaper, SYS_chdir, any, "holds a directory"},
    Kind{Party::reaper, SYS_setpgid, any, "hears of signals twice"},
    Kind{Party::launcher, SYS_faccessat2, any, "what others have left stays for the next launch"},
    Kind{Party::launcher, SYS_mkdir, any, "a registry in another place"},
    Kind{Party::launcher, SYS_newfstatat, any, "a registry in another place"},
    Kind{Party::launcher, SYS_socketpair, any, "no guardian: the next launch removes what is left"},
    Kind{Party::launcher, SYS_clone, any, "no guardian: the next launch removes what is left"},
    Kind{Party::launcher, SYS_fcntl, F_DUPFD_CLOEXEC, "no guardian, or not told of the child"},
    Kind{Party::launcher, SYS_fcntl, F_OFD_SETLK,
         "what others have left stays for the next launch"},
    Kind{Party::launcher, SYS_sendmsg, any, "a guardian that is not told of the child"},
    Kind{Party::launcher, SYS_recvfrom, any, "the guardian says nothing if it is well"},
    Kind{Party::launcher, SYS_pidfd_open, any, "the barrier's pipe tells of the parent's death"},
    Kind{Party::launcher, SYS_clone3, any, "clone(2), or fork(2)"},
    Kind{Party::launcher, SYS_prctl, PR_GET_DUMPABLE * 100,
         "is taken for not dumpable, or stays so"},
    Kind{Party::launcher, SYS_prctl, PR_SET_DUMPABLE * 100, "stays not dumpable"},
    Kind{Party::launcher, SYS_preadv2, any, "a look; the wait tells"},
    Kind{Party::launcher, SYS_waitid, any, "a look; the wait tells"},
    Kind{Party::launcher, SYS_kcmp, any, "a look; the wait tells"},
    Kind{Party::launcher, SYS_openat, any, "looks into /proc for how far the child is"},
    Kind{Party::launcher, SYS_read, any, "looks into /proc for how far the child is"},
};

// Of what it says the errno otherwise.
int told_errno(const Call& call, int error) {
    // To these calls EINVAL means that the limit of descriptors is too low.
    const bool is_limit = call.number == SYS_ppoll || call.number == SYS_fcntl;
    return is_limit && error == EINVAL ? EMFILE : error;
}

// Another one each time, of those that the call may end with.
int error_for(const Call& call, int occurrence) {
    constexpr std::array of_most{EPERM, EINVAL, ENOMEM, ENOSYS};
    constexpr std::array of_opening{EPERM, EMFILE, ENOMEM, ENFILE};
    const bool opens = call.number == SYS_openat || call.number == SYS_openat2 ||
                       call.number == SYS_pipe2 || call.number == SYS_socket ||
                       call.number == SYS_fsopen || call.number == SYS_open_tree;
    const auto index = static_cast<std::size_t>(call.number + occurrence) % of_most.size();
    const int error = opens ? of_opening[index] : of_most[index];
    const bool is_no_more = call.option == read_bounding || call.option == ask_ambient;
    return error == EINVAL && is_no_more ? EPERM : error;  // so the kernel ends the list
}

class Choice {
public:
    std::vector<Target> operator()(const Call& call, int occurrence) {
        if (is_one_of(cannot_fail, call)) {
            return {};
        }
        std::vector<Target> targets{
            {call, occurrence, Sentence::fails(error_for(call, occurrence))}};
        if (call.party != Party::launcher && kinds_.insert({call.number, call.option}).second) {
            targets.push_back({call, 0, Sentence::fails(EPERM)});
            targets.push_back({call, 0, Sentence::fails(ENOSYS)});
        }
        return targets;
    }

private:
    std::set<std::pair<long, long>> kinds_{};
};

// The last step's part comes right before execve. What fails throughout may be done without in the first step.
bool names_the_step(const Round& round) {
    const std::string told = round.report.step;
    const bool is_first = !round.step().empty() &&
                          (round.target.occurrence != 0 || !is_one_of(can_do_without, round.hit));
    return is_first ? told.find(round.step()) != std::string::npos : !told.empty();
}

// The kernel may insist on a new /proc that cannot be written.
std::string without_writable_proc(std::string told) {
    const std::string writable = "/proc rw,";
    const std::size_t place = told.find(writable);
    return place == std::string::npos ? told : told.replace(place, writable.size(), "/proc ro,");
}

void check_failed(const Round& round) {
    const int error = round.target.sentence.error();
    const WhichSide side =
        round.hit.party == Party::launcher ? WhichSide::parent : WhichSide::child;
    CHECK((round.report.cause == Cause::error || round.report.cause == Cause::exception));
    CHECK((round.report.code == error || round.report.code == told_errno(round.hit, error)));
    CHECK(round.report.side == side);
    CHECK(round.report.stage != Stage::none);
    CHECK(names_the_step(round));
}

void check_launched(const Round& round, const std::string& undisturbed) {
    // The reaper takes everything with it, as does who cannot watch the clock.
    const bool is_reapers = round.hit.party == Party::reaper || round.target.occurrence == 0;
    const bool is_of_clock = round.hit.party == Party::launcher && round.hit.number == SYS_ppoll;
    const bool is_ended = (is_reapers && round.report.exit_code != 42) ||
                          (is_of_clock && round.report.exit_code == 128 + SIGKILL);
    if (is_ended) {
        CHECK(first_change(undisturbed, round.report.told) == "");
        return;
    }
    CHECK(is_one_of(can_do_without, round.hit));
    const bool is_stricter = round.hit.number == SYS_mount_setattr &&
                             round.report.told == without_writable_proc(undisturbed);
    CAPTURE(first_change(undisturbed, round.report.told));
    CHECK((is_stricter || round.report.told == undisturbed));
    CHECK(round.report.exit_code == 42);
}

void sweep(Caller caller) {
    const Ground ground;
    KnownCalls known;
    Choice choice;
    int count = 0;
    for (const ScenarioMaker& maker : scenarios()) {
        CAPTURE(std::string(maker.name));
        if (maker.needs_root && caller == Caller::ordinary) {
            continue;
        }
        Rounds rounds(maker, caller, ground, known);
        const bool has_run =
            rounds.run([&](const Call& call, int occurrence) { return choice(call, occurrence); },
                       [&](const Round& round) {
                           CAPTURE(std::string(name_of(round.hit.party)));
                           CAPTURE(round.step());
                           CAPTURE(round.hit.number);
                           CAPTURE(round.hit.option);
                           CAPTURE(round.target.occurrence);
                           CAPTURE(round.target.sentence.error());
                           CAPTURE(std::string(round.report.text));
                           CHECK(round.hit.party != Party::others);
                           round.report.launched ? check_launched(round, rounds.undisturbed())
                                                 : check_failed(round);
                           CHECK(round.left.empty());
                       });
        if (!has_run) {
            leave_out(rounds.why_not());
        }
        count += rounds.count();
    }
    MESSAGE("launches: ", count);
}

}  // namespace

TEST_CASE("whichever call fails, a sandbox of root is whole or the launch says why it is not") {
    if (geteuid() != 0) {
        SKIP_TEST("only root launches as root");
    }
    sweep(Caller::root);
}

TEST_CASE("the same holds for a sandbox of an ordinary user") { sweep(Caller::ordinary); }
