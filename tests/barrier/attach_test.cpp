// Attach is strict: every way in which the variables can be wrong has its error, which names the
// variable, and leaves neither a barrier nor a variable behind.

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <sstream>

#include "support/hand_over.hpp"
#include "support/observe.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

enum Field {
    version,
    role,
    pid,
    pid_namespace,
    balance,
    seen,
    abort_state,
    local_id,
    remote_id,
    inode
};

// Replaces one of the numbers in the state.
void set_field(Field field, const std::string& value) {
    std::istringstream old(value_of(state));
    std::string changed, number;
    for (int index = 0; std::getline(old, number, ':'); ++index) {
        changed += (index == 0 ? "" : ":") + (index == field ? value : number);
    }
    set(state, changed);
}

void check_refused_field(AttachProblem problem, Field field, const std::string& value,
                         const char* variable = state) {
    CAPTURE(field);
    CAPTURE(value);
    check_refused(variable, problem, [&](Exported&) { set_field(field, value); });
}

void check_refused_value(const char* variable, AttachProblem problem, const std::string& value) {
    CAPTURE(value);
    check_refused(variable, problem, [&](Exported&) { set(variable, value); });
}

}  // namespace

TEST_CASE(
    "an attached barrier has the descriptors, which are close-on-exec again, and no variables") {
    Peer peer([] {
        Exported exported;
        const syncspawn_barrier& given = *exported.barrier.native();
        Barrier attached = attach();
        const syncspawn_barrier& side = *attached.native();
        expect_same(side.role, SYNCSPAWN_CHILD);
        expect_same(side.local_fd, given.local_fd);
        expect_same(side.remote_fd, given.remote_fd);
        expect_same(side.pipe_write_fd, given.pipe_write_fd);
        expect_same(side.pipe_read_fd, -1);
        expect_same(side.peer_pidfd, -1);
        for (const int fd : {side.local_fd, side.remote_fd, side.pipe_write_fd}) {
            expect(is_close_on_exec(fd));
        }
        expect_no_variables();
        expect_outcome(attached.set_role(Role::child), Outcome::failed);
        expect_outcome(attached.place(), Outcome::reached);
        AttachError error;
        expect(!attach(error).is_open());
        expect(error.problem() == AttachProblem::not_handed_over);
        *exported.barrier.native() = {};
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("the throwing attach throws what the other one returns") {
    Peer peer([] {
        try {
            (void)attach();
        } catch (const AttachError& error) {
            expect(error.problem() == AttachProblem::not_handed_over);
            expect(std::strlen(error.what()) > 0);
            return;
        }
        expect(false);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a variable that is missing is named") {
    for (const char* variable : barrier_variables) {
        check_refused(variable, AttachProblem::missing, [&](Exported&) { unsetenv(variable); });
    }
}

TEST_CASE("a descriptor number is one canonical decimal number of 10 or more") {
    for (const char* variable : {local, remote, hang_up}) {
        for (const char* value :
             {"", " 10", "10 ", "+10", "010", "0x10", "1e1", "10.", "-10", "-", "ten", "9", "0",
              "2", "2147483648", "99999999999999999999", "10\n", "10,11"}) {
            check_refused_value(variable, AttachProblem::malformed, value);
        }
        check_refused_value(variable, AttachProblem::malformed, std::string(400, '1'));
    }
}

TEST_CASE("the state is ten numbers within their ranges") {
    for (const char* value : {"", ":", "1", "1:2", "one", "1:2:3:4:5:6:7:8:9", ":::::::::"}) {
        check_refused_value(state, AttachProblem::malformed, value);
    }
    for (const char* end : {":", ":0", " ", "x"}) {
        check_refused(state, AttachProblem::malformed,
                      [&](Exported&) { set(state, value_of(state) + end); });
    }
    check_refused_value(state, AttachProblem::malformed, std::string(400, '1'));
    for (const Field field : {version, role, pid, pid_namespace, balance, seen, abort_state,
                              local_id, remote_id, inode}) {
        for (const char* value : {"", " 1", "+1", "01", "-0", "x", "1 ", "9223372036854775808",
                                  "-9223372036854775809"}) {
            check_refused_field(AttachProblem::malformed, field, value);
        }
        if (field != balance) {
            check_refused_field(AttachProblem::malformed, field, "-1");
        }
    }
    for (const char* value : {"0", "3", "10"}) {
        check_refused_field(AttachProblem::malformed, role, value);
    }
    for (const char* value : {"0", "2147483648"}) {
        check_refused_field(AttachProblem::malformed, pid, value);
    }
    for (const char* value : {"6", "7", "8"}) {  // aborted there and gone exclude each other
        check_refused_field(AttachProblem::malformed, abort_state, value);
    }
}

TEST_CASE("the ends of the ranges are within them") {
    Peer peer([] {
        const Exported exported;
        set_field(balance, "-9223372036854775808");
        set_field(seen, "9223372036854775807");
        set_field(abort_state, "5");
        const Barrier attached = attach();
        expect_counts(attached, INT64_MIN, INT64_MAX);
        expect(attached.status().aborted_here && attached.status().peer_gone);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("another version of the protocol is told from a malformed state") {
    for (const char* value : {"0", "2", "17"}) {
        check_refused_field(AttachProblem::other_version, version, value);
    }
    check_refused_value(state, AttachProblem::other_version, "2:whatever comes");
}

TEST_CASE("a hand-over meant for another process is refused") {
    check_refused_field(AttachProblem::other_process, pid, "1");
    Peer peer([] {
        const Exported exported;
        // A grandchild that merely inherited the variables; it takes nothing from its parent.
        expect_reached_the_end(Peer([] { expect_refused(AttachProblem::other_process, state); }));
        expect_attached();
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a command attaches for the script that called it, and for the script's callers") {
    Peer peer([] {
        const Exported exported;
        expect_reached_the_end(Peer([] {
            expect_reached_the_end(Peer([] { expect_attached(AttachFor::calling_script); }));
            expect_attached(AttachFor::calling_script);
        }));
        expect_attached(AttachFor::calling_script);
    });
    CHECK(peer.ending() == reached_the_end);
    Peer stranger([] {
        const Exported exported;
        const Peer sibling([] { pause(); });
        set_field(pid, std::to_string(sibling.pid()));
        expect_refused(AttachProblem::other_process, state, AttachFor::calling_script);
    });
    CHECK(stranger.ending() == reached_the_end);
}

TEST_CASE("what the exporting side did not know is not checked") {
    Peer peer([] {
        const Exported exported;
        for (const Field field : {pid_namespace, local_id, remote_id, inode}) {
            set_field(field, "0");
        }
        expect_attached();
    });
    CHECK(peer.ending() == reached_the_end);
}
