// The barrier beyond execve: what travels, what the exec'd program finds, and what an exit is.

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cstring>

#include "support/hand_over.hpp"
#include "support/observe.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

constexpr Deadline past{};

// The three descriptors of a side that has its role.
std::vector<int> descriptors_of(const Barrier& barrier) {
    return {barrier.native()->local_fd, barrier.native()->remote_fd, own_pipe_end(barrier)};
}

// What the exec'd program finds when one side brings the barrier into a state and executes it.
template <class Subject, class Other>
std::string told_after_execve(Role role, Subject subject, Other other) {
    const Output output;
    const auto handing_over = [&](Barrier& side) {
        subject(side);
        output.take_standard_output();
        export_to_environment(side);
        become({helper("attach_and_tell")});
    };
    BothSides sides =
        role == Role::parent ? both_sides(handing_over, other) : both_sides(other, handing_over);
    Peer& program = role == Role::parent ? sides.parent : sides.child;
    CHECK(program.ending() == reached_the_end);  // the program ends with the same status
    return output.text();
}

constexpr auto idle = [](Barrier& side) { await_hang_up(side); };

}  // namespace

TEST_CASE("a barrier works beyond execve") {
    auto sides = both_sides(
        [](Barrier& side) {
            expect_outcome(side.wait_for_place(1), Outcome::reached);
            expect_outcome(side.place_and_sync(), Outcome::reached);
            expect_outcome(side.wait_for_place(2), Outcome::reached);
            expect_outcome(side.place(), Outcome::reached);
            expect_outcome(side.place_and_sync(), Outcome::reached);
            expect_outcome(side.wait_abortion(), Outcome::reached);
            expect_counts(side, 0, 3);
        },
        [](Barrier& side) {
            expect_outcome(side.place_and_sync(), Outcome::reached);
            expect_outcome(side.place(), Outcome::reached);
            export_to_environment(side);
            become({helper("attach_and_meet")});
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("either role, and both, can be handed over") {
    const auto executing = [](Barrier& side) {
        export_to_environment(side);
        become({helper("attach_and_meet"), "3"});
    };
    const auto staying = [](Barrier& side) {
        for (int round = 0; round < 3; ++round) {
            expect_outcome(side.place_and_sync(), Outcome::reached);
        }
    };
    auto parent = both_sides(executing, staying);
    CHECK_BOTH_REACHED_THE_END(parent);
    auto child = both_sides(staying, executing);
    CHECK_BOTH_REACHED_THE_END(child);
    auto both = both_sides(executing, executing);
    CHECK_BOTH_REACHED_THE_END(both);
}

TEST_CASE(
    "balance, places seen and abort state travel, and the descriptors are close-on-exec again") {
    for (const Role role : {Role::parent, Role::child}) {
        const std::string start = "role " + std::to_string(static_cast<int>(role)) + " ";
        const std::string end = " close-on-exec 1\n";
        CHECK(told_after_execve(
                  role, [](Barrier&) {}, idle) == start + "balance 0 seen 0 abort 0" + end);
        CHECK(told_after_execve(
                  role,
                  [](Barrier& side) {
                      for (int place = 0; place < 3; ++place) {
                          expect_outcome(side.place(), Outcome::reached);
                      }
                      expect_outcome(side.sync_next(), Outcome::reached);
                  },
                  [](Barrier& side) {
                      expect_outcome(side.place(), Outcome::reached);
                      await_hang_up(side);
                  }) == start + "balance 2 seen 1 abort 0" + end);
        CHECK(told_after_execve(
                  role,
                  [](Barrier& side) {
                      await_hang_up(side);
                      expect_outcome(side.poll_now(), Outcome::peer_gone);
                  },
                  [](Barrier& side) { (void)side.place(); }) ==
              start + "balance -1 seen 1 abort 4" + end);
        CHECK(told_after_execve(
                  role, [](Barrier& side) { expect_outcome(side.abort(), Outcome::reached); },
                  idle) == start + "balance 0 seen 0 abort 1" + end);
        const auto aborting = [](Barrier& side) {
            expect_outcome(side.abort(), Outcome::reached);
            await_hang_up(side);
        };
        CHECK(told_after_execve(
                  role,
                  [](Barrier& side) {
                      expect_outcome(side.place_and_sync(), Outcome::aborted_there);
                  },
                  aborting) == start + "balance 1 seen 0 abort 2" + end);
        CHECK(told_after_execve(
                  role,
                  [](Barrier& side) {
                      expect_outcome(side.wait_next(), Outcome::aborted_there);
                      expect_outcome(side.abort(), Outcome::aborted_there);
                  },
                  aborting) == start + "balance 0 seen 0 abort 3" + end);
        CHECK(told_after_execve(
                  role,
                  [](Barrier& side) {
                      expect_outcome(side.wait_next(), Outcome::peer_gone);
                      expect_outcome(side.abort(), Outcome::peer_gone);
                  },
                  [](Barrier&) {}) == start + "balance 0 seen 0 abort 5" + end);
    }
}

TEST_CASE("a wrapper passes the barrier on, and so does the next one") {
    auto sides = both_sides(
        [](Barrier& side) {
            // One place before the first execve, one by each of two wrappers, two meetings.
            expect_outcome(side.wait_for_place(3), Outcome::reached);
            for (int place = 0; place < 5; ++place) {
                expect_outcome(side.place_until(past), Outcome::reached);
            }
            expect_outcome(side.sync(), Outcome::reached);
            expect_outcome(side.wait_abortion(), Outcome::reached);
            expect_counts(side, 0, 5);
        },
        [](Barrier& side) {
            expect_outcome(side.place(), Outcome::reached);
            export_to_environment(side);
            const std::string wrapper = helper("attach_and_pass_on");
            become({wrapper, wrapper, helper("attach_and_meet"), "2"});
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("a program that does not know the library speaks the protocol") {
    auto sides = both_sides(
        [](Barrier& side) {
            expect_outcome(side.place_and_sync(), Outcome::reached);
            expect_outcome(side.wait_next(), Outcome::peer_gone);
        },
        [](Barrier& side) {
            export_to_environment(side);
            become({helper("speak_without_library")});
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("a program that does not know the library is told of an abort and of an end") {
    auto aborted = both_sides([](Barrier& side) { expect_outcome(side.abort(), Outcome::reached); },
                              [](Barrier& side) {
                                  await_hang_up(side);
                                  export_to_environment(side);
                                  become({helper("speak_without_library")});
                              });
    CHECK(aborted.child.ending() == "exit status 6");
    auto gone = both_sides([](Barrier&) {},
                           [](Barrier& side) {
                               await_hang_up(side);
                               export_to_environment(side);
                               become({helper("speak_without_library")});
                           });
    CHECK(gone.child.ending() == "exit status 4");
}

// Below a program that passes its environment on and closes descriptors: the numbers are files by now.
TEST_CASE(
    "a program that does not know the library writes nothing where nothing was handed to it") {
    Peer peer([] {
        const Exported exported;
        const syncspawn_barrier& side = *exported.barrier.native();
        Peer program([&] {
            for (const int fd : {side.local_fd, side.remote_fd, side.pipe_write_fd}) {
                const int file = memfd_create("a file of the program", 0);
                expect(file >= 0 && dup2(file, fd) == fd);
            }
            become({helper("speak_without_library")});
        });
        expect_same(program.ending().c_str(), "exit status 3");
        // Not even if the pid happens to be its own: the descriptors are of another kind.
        const int file = memfd_create("a file", 0);
        expect(file >= 0);
        Peer with_its_pid([&] {
            std::string value = value_of(state);
            const std::string old = ":" + std::to_string(getppid()) + ":";
            expect(value.find(old) != std::string::npos);
            set(state,
                value.replace(value.find(old), old.size(), ":" + std::to_string(getpid()) + ":"));
            expect(dup2(file, side.local_fd) >= 0);
            become({helper("speak_without_library")});
        });
        expect_same(with_its_pid.ending().c_str(), "exit status 3");
        expect_same(lseek(file, 0, SEEK_END), 0);
        expect_same(static_cast<long long>(eventfd_count(side.local_fd)), 0);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a program that never attaches and exits is gone") {
    auto sides = both_sides(
        [](Barrier& side) {
            expect_outcome(side.wait_next(), Outcome::reached);
            expect_outcome(side.wait_next(), Outcome::peer_gone);
        },
        [](Barrier& side) {
            expect_outcome(side.place(), Outcome::reached);
            export_to_environment(side);
            become({"/bin/true"});
        });
    CHECK(sides.parent.ending() == reached_the_end);
    CHECK(sides.child.ending() == "exit status 0");
}

TEST_CASE("a program that was handed nothing finds nothing") {
    const Output output;
    Peer peer([&] {
        output.take_standard_output();
        become({helper("attach_and_tell")});
    });
    CHECK(peer.ending() == "exit status 3");
    CHECK(output.text().starts_with("problem 1: SYNCSPAWN_BARRIER_STATE: not set"));
}

TEST_CASE("export moves the descriptors to 10 or higher and lets only them survive") {
    for (const int lowest : {-1, 0, 10, 50}) {
        Peer peer([lowest] {
            Barrier barrier = Barrier::create();
            Barrier other = Barrier::create();
            expect_outcome(barrier.set_role(Role::child), Outcome::reached);
            const auto before = open_descriptors().size();
            BarrierEnvironment environment{};
            expect_outcome(export_barrier(barrier, environment, lowest), Outcome::reached);
            expect(open_descriptors().size() == before);
            for (const int fd : descriptors_of(barrier)) {
                expect(fd >= 10 && fd >= lowest);
                expect(!is_close_on_exec(fd));
            }
            expect(is_close_on_exec(other.native()->local_fd));
            const std::string text = "SYNCSPAWN_BARRIER_LOCAL_FD=";
            expect_same(environment.local_fd,
                        (text + std::to_string(barrier.native()->local_fd)).c_str());
            expect_outcome(barrier.place(), Outcome::reached);
            expect_outcome(barrier.poll_now(), Outcome::peer_gone);
        });
        CAPTURE(lowest);
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("after a failed execve the barrier is usable, and can be exported again") {
    auto sides =
        both_sides([](Barrier& side) { expect_outcome(side.place_and_sync(), Outcome::reached); },
                   [](Barrier& side) {
                       export_to_environment(side);
                       char* nothing[]{nullptr};
                       expect(execve("/there is no such program", nothing, environ) < 0);
                       expect_outcome(side.poll_now(), Outcome::reached);
                       export_to_environment(side);
                       become({helper("attach_and_meet")});
                   });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("export without a role is misuse") {
    Barrier barrier = Barrier::create();
    BarrierEnvironment environment{};
    CHECK(export_barrier(barrier, environment) == Outcome::failed);
    CHECK(barrier.error().value() == EINVAL);
    CHECK(barrier.status().failure == 0);
}

TEST_CASE("export that runs out of descriptors fails, and nothing would survive execve") {
    for (rlim_t room = 0; room < 3; ++room) {
        Peer peer([room] {
            Barrier barrier = Barrier::create();
            expect_outcome(barrier.set_role(Role::parent), Outcome::reached);
            rlimit limit{};
            expect(getrlimit(RLIMIT_NOFILE, &limit) == 0);
            limit.rlim_cur = 100 + room;
            expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
            BarrierEnvironment environment{};
            expect_outcome(export_barrier(barrier, environment, 100), Outcome::failed);
            expect_same(barrier.error().value(), EMFILE);
            expect(is_close_on_exec(barrier.native()->local_fd));
            expect(is_close_on_exec(barrier.native()->remote_fd));
        });
        CAPTURE(room);
        CHECK(peer.ending() == reached_the_end);
    }
}
