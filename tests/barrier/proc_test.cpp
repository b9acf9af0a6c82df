// Hand-over with no /proc, with the /proc of another pid namespace, and across pid namespaces.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstring>

#include "support/hand_over.hpp"
#include "support/namespaces.hpp"
#include "support/observe.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

void swap_eventfds(Exported& exported) {
    set(local, exported.barrier.native()->remote_fd);
    set(remote, exported.barrier.native()->local_fd);
}

// Everything that attach can check without /proc.
void expect_checks_without_proc() {
    Exported exported;
    set(local, exported.barrier.native()->pipe_write_fd);
    expect_refused(AttachProblem::not_distinct, hang_up);
    export_to_environment(exported.barrier);
    set(local, 5000);
    expect_refused(AttachProblem::not_open, local);
    export_to_environment(exported.barrier);
    int ends[2];
    expect(pipe(ends) == 0);
    set(local, fcntl(ends[1], F_DUPFD, 20));
    expect_refused(AttachProblem::wrong_kind, local);
    export_to_environment(exported.barrier);
    set(hang_up, fcntl(ends[1], F_DUPFD, 20));
    expect_refused(AttachProblem::wrong_object, hang_up);
    export_to_environment(exported.barrier);
    expect_reached_the_end(Peer([] { expect_refused(AttachProblem::other_process, state); }));
    expect_attached();
}

}  // namespace

TEST_CASE("without /proc a hand-over works, and what needs no /proc is checked") {
    Peer peer = peer_in_namespaces(CLONE_NEWNS, [] {
        cover_proc();
        {
            const Exported exported;
            // pid namespace and eventfd ids are not known; the pipe's inode is.
            const std::string text = value_of(state);
            const std::string start = "1:2:" + std::to_string(getpid()) + ":0:0:0:0:0:0:";
            expect(text.starts_with(start) && text.size() > start.size());
            expect(text.substr(start.size()) != "0");
            expect_attached();
        }
        expect_checks_without_proc();
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a program without /proc does not check what the exporting side could name") {
    Peer peer = peer_in_namespaces(CLONE_NEWNS, [] {
        Exported exported;
        swap_eventfds(exported);
        cover_proc();
        expect_attached();
        // The script's caller is known without /proc, no one further up is.
        export_to_environment(exported.barrier);
        expect_reached_the_end(Peer([] {
            expect_reached_the_end(Peer([] {
                expect_refused(AttachProblem::other_process, state, AttachFor::calling_script);
            }));
            expect_attached(AttachFor::calling_script);
        }));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("beyond execve without /proc two sides meet") {
    Barrier barrier = Barrier::create();
    Peer parent([&] {
        expect_outcome(barrier.set_role(Role::parent), Outcome::reached);
        expect_outcome(barrier.place_and_sync(), Outcome::reached);
    });
    Peer child = peer_in_namespaces(CLONE_NEWNS, [&] {
        expect_outcome(barrier.set_role(Role::child), Outcome::reached);
        cover_proc();
        export_to_environment(barrier);
        become({helper("attach_and_meet")});
    });
    barrier.destroy();
    CHECK_REACHED_THE_END_OR_SKIP(child);
    CHECK(parent.ending() == reached_the_end);
}

TEST_CASE("with the /proc of an outer pid namespace a hand-over works") {
    Peer peer = peer_in_namespaces(CLONE_NEWPID, [] {
        expect_reached_the_end(Peer([] {
            expect(getpid() == 1);
            expect(std::string(value_in("/proc/self/status", "NSpid")).find('\t') !=
                   std::string::npos);
            {
                const Exported exported;
                expect(value_of(state).starts_with("1:2:1:"));
                expect_attached();
            }
            {
                Exported exported;
                swap_eventfds(exported);
                expect_refused(AttachProblem::wrong_object, local);
            }
            expect_checks_without_proc();
            // Its pid 1 is not this one.
            const Exported exported;
            expect(unshare(CLONE_NEWPID) == 0);
            expect_reached_the_end(Peer([] {
                expect(getpid() == 1);
                expect_refused(AttachProblem::other_process, state);
            }));
        }));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("pid 1 of another pid namespace is not the process of the same number") {
    Peer peer = peer_in_namespaces(CLONE_NEWPID, [] {
        expect_reached_the_end(Peer([] {
            mount_own_proc();
            expect(getpid() == 1);
            Exported exported;
            expect_attached();
            export_to_environment(exported.barrier);
            expect(unshare(CLONE_NEWPID) == 0);
            expect_reached_the_end(Peer([] {
                mount_own_proc();
                expect(getpid() == 1);
                AttachError error;
                expect(!attach(error).is_open());
                expect(error.problem() == AttachProblem::other_process);
                expect(std::strstr(error.what(), "another pid namespace") != nullptr);
            }));
        }));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("two sides in two pid namespaces meet, and see each other's end") {
    Barrier barrier = Barrier::create();
    Peer parent([&] {
        expect_outcome(barrier.set_role(Role::parent), Outcome::reached);
        expect_outcome(barrier.place_and_sync(), Outcome::reached);
        expect_outcome(barrier.wait_next(), Outcome::peer_gone);
    });
    Peer child = peer_in_namespaces(CLONE_NEWPID, [&] {
        Peer first([&] {
            expect_outcome(barrier.set_role(Role::child), Outcome::reached);
            export_to_environment(barrier);
            become({helper("attach_and_meet")});
        });
        barrier.destroy();
        expect_same(first.ending().c_str(), reached_the_end.c_str());
    });
    barrier.destroy();
    CHECK_REACHED_THE_END_OR_SKIP(child);
    CHECK(parent.ending() == reached_the_end);
}
