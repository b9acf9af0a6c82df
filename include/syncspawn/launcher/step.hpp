#pragma once

#include <string>
#include <vector>

#include <syncspawn/launcher/child_side.hpp>
#include <syncspawn/launcher/parent_side.hpp>
#include <syncspawn/launcher/part.hpp>

/// syncspawn::Step: what the two sides do between the start of the child and its execve, or right behind it.
///
///     #include <fstream>
///     #include <sched.h>
///     #include <string>
///     #include <syncspawn/launcher.hpp>
///     #include <unistd.h>
///
///     // The child waits in its new user namespace until this has returned.
///     std::error_code write_map(syncspawn::ParentSide& side) {
///         std::ofstream map("/proc/" + std::to_string(side.child_pid()) + "/uid_map");
///         map << "0 " << geteuid() << " 1\n" << std::flush;
///         return map ? side.done() : side.fail("write uid_map", syncspawn::Hint::id_map);
///     }
///
///     int main() {
///         syncspawn::SyncedSpawner spawner({.program = "sh", .arguments = {"-c", "test $(id -u) = 0"}});
///         spawner.step({
///             .name = "uid map",
///             .child = syncspawn::async_signal_safe([](syncspawn::ChildSide& side) {
///                 return unshare(CLONE_NEWUSER) < 0 ? side.fail("unshare") : side.done();
///             }),
///             .parent = write_map,
///             .order = syncspawn::StepOrder::child_first,
///         });
///         return spawner.spawn().wait().shell_code();
///     }
///
/// A step has a part for the child, one for the parent, or both, and further ones before the start and after
/// the end. Each part is a callable that returns
/// std::error_code or nothing; the first that fails ends the launch. The child's part says which rules it
/// obeys: see <syncspawn/launcher/child_side.hpp>. The parent's may do anything, and may wait without
/// blocking: see <syncspawn/launcher/parent_side.hpp>.

namespace syncspawn {

using ParentPart = Part<ParentSide>;

/// How the two parts of a step relate in time. If only the side that goes first has a part, the *next* part of
/// the other side waits for it: steps::map_root() is such a step. Neighbours that ask for the same order share
/// one rendezvous: all their first parts come before all their second ones.
enum class StepOrder {
    together,      ///< neither waits for the other
    child_first,   ///< the parent's part, or its next one, begins after the child's has ended
    parent_first,  ///< the child's part, or its next one, begins after the parent's has ended
};

/// One step of the setup. The parts of one side run in the order in which the steps were added. The two
/// sides run at the same time, except where the order of a step or a rendezvous says otherwise.
struct Step {
    std::string name;  ///< what errors and the timeline call it
    /// Runs in the parent before there is a child, once for each launch: the place to make what the child is
    /// born into, such as a cgroup of its own. What it makes, `undo` and `after_end` remove.
    ///
    ///     .before_start = [](ParentSide& side) {
    ///         UniqueFd& cgroup = side.state<UniqueFd>();
    ///         cgroup = make_cgroup();
    ///         return cgroup ? (side.set_cgroup(cgroup.get()), side.done()) : side.fail("mkdir");
    ///     }
    ///
    /// It may wait as `parent` may, and `setup.within` counts. If it fails, nothing is started.
    ParentPart before_start{};
    ChildPart child{};
    ParentPart parent{};
    StepOrder order = StepOrder::together;
    /// Runs in the child behind everything else, right before execve: the place for a seccomp filter.
    ///
    ///     .last = shared_memory([&filter](ChildSide& side) {
    ///         return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
    ///                        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0
    ///                    ? side.fail("prctl")
    ///                    : side.done();
    ///     })
    ///
    /// (tools/examples/last_part.cpp is the whole program.) From the first of these parts to execve the
    /// library makes no system call. So the filter need only allow execve(2), and what the program and its
    /// dynamic loader call. Last parts run in the order of their steps. If one fails, the program does not
    /// run, and the error is reported as usual.
    ///
    /// Everything else is settled by then: both sides have passed "ready to exec", descriptors are in
    /// place, the barrier is handed over, the signal mask and the parent-death signal are the program's. So
    /// do not
    ///  - change credentials: that clears the parent-death signal of `ending.die_with_parent`,
    ///  - close descriptors or change their flags (the step's are open, unless the program's have taken their
    ///    numbers),
    ///  - change the signal mask, or where a path leads (chroot, mounts, chdir): the program is looked up
    ///    already.
    ///
    /// If the parent gives up before the last of these parts has ended, the program does not run. If the
    /// parent dies meanwhile, the program runs all the same, unless `ending.die_with_parent` is set.
    ChildPart last{};
    /// Runs in the child if execve has failed; errno says why. It obeys the rules of `child`, or those of
    /// `last` if that is the only other part in the child. The program's signal mask is in force. The
    /// result is ignored.
    Part<ChildSide> exec_failed{};
    /// Runs in the parent once the program runs: behind execve, and before readiness is waited for. The
    /// place for what must not happen earlier, such as writing the oom score of a child that shares your
    /// memory until then.
    ///
    ///     .after_execve = [](ParentSide& side) {
    ///         std::ofstream file("/proc/" + std::to_string(side.child_pid()) + "/oom_score_adj");
    ///         file << 500 << std::flush;
    ///         return file || side.has_ended() ? side.done() : side.fail("oom_score_adj");
    ///     }
    ///
    /// It may wait as `parent` may. The program does not wait for it: it may have done anything by then, even
    /// have ended. That does not fail the launch; a part that waits is called once more when the program ends,
    /// and can ask side.has_ended(). `setup.within` and cancellation hold here, too.
    ///
    /// If it fails, the program is ended, and the error says program_may_have_run().
    ParentPart after_execve{};
    /// Runs in the parent after the end of the program, if the launch has succeeded: the place to remove what
    /// was there for the program. It runs in the thread that reaps it, in whatever does that: a member of
    /// Process (its destructor, too), run(), Run, ProcessSet, async_wait_exit(). Steps come in reverse order. The
    /// state() is that of the other parts. It cannot wait.
    ///
    ///     .after_end = [](ParentSide& side) {
    ///         return rmdir(path_of(side.state<Cgroup>())) < 0 ? side.fail("rmdir") : side.done();
    ///     }
    ///
    /// If it fails, the others still run, and Process::after_end_failures() says so. It does not run after
    /// Process::release(), for a program that runs on when its Process is destroyed (`ending.stop`), and in the
    /// copy of a Process that fork(2) makes. What is left behind then, or if this process is killed, should have
    /// a name by which the next launch can find it.
    ///
    /// If the launch fails, `undo` runs and this does not. Often both are the same function.
    ParentPart after_end{};
    /// Takes back what `before_start`, `parent` and `after_execve` have done. Runs in the parent if the launch
    /// fails after one of them has succeeded, or has begun to wait (ParentSide::wait_for()). The child is gone by
    /// then; what began last comes first. It finds the ParentSide::state() of those parts. It cannot wait.
    ParentPart undo{};
    /// The descriptors of the parent that the child's parts use. Borrowed; the program does not get them.
    std::vector<int> descriptors{};
    /// How many descriptors the child's parts send to the parent's at most; 64 is the limit.
    ///
    ///     .child = shared_memory([](ChildSide& side) {
    ///         const int memory = memfd_create("from the child", MFD_CLOEXEC);
    ///         return memory < 0 ? side.fail("memfd_create") : side.send_descriptor(memory);
    ///     }),
    ///     .parent = [&](ParentSide& side) { memory = side.take_descriptor(); },
    ///     .order = StepOrder::child_first,
    ///     .sends_descriptors = 1
    ///
    /// With `child_first` they are there when `parent` begins; with any order when `after_execve` does.
    int sends_descriptors = 0;
};

}  // namespace syncspawn
