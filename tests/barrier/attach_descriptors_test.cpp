// Attach looks at the descriptors themselves: open, of the right kind, the right one, the right end.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <functional>

#include "support/hand_over.hpp"
#include "support/observe.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

TEST_CASE("a descriptor that is closed, of another kind, or another one is refused") {
    for (const char* variable : {local, remote, hang_up}) {
        check_refused(variable, AttachProblem::not_open, [&](Exported&) { set(variable, 5000); });
    }
    sigset_t no_signals;
    sigemptyset(&no_signals);
    const int ours[]{
        open("/dev/null", O_RDWR),
        open("/proc/self/exe", O_RDONLY),
        open("/", O_RDONLY),
        socket(AF_UNIX, SOCK_DGRAM, 0),
        memfd_create("nothing", 0),
        timerfd_create(CLOCK_MONOTONIC, 0),
        epoll_create1(0),
        signalfd(-1, &no_signals, 0),
        static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)),
    };
    for (const int fd : ours) {
        REQUIRE(fd >= 0);
        CAPTURE(read_file("/proc/self/fdinfo/" + std::to_string(fd)));
        const int high = fcntl(fd, F_DUPFD_CLOEXEC, 20);
        for (const char* variable : {local, remote, hang_up}) {
            check_refused(variable, AttachProblem::wrong_kind,
                          [&](Exported&) { set(variable, high); });
        }
        close(high);
        close(fd);
    }
    for (const char* variable : {local, remote}) {
        check_refused(variable, AttachProblem::wrong_kind,
                      [&](Exported& exported) { set(variable, exported.other_end); });
        check_refused(variable, AttachProblem::wrong_object, [&](Exported&) {
            set(variable, fcntl(eventfd(0, EFD_NONBLOCK), F_DUPFD_CLOEXEC, 10));
        });
    }
    check_refused(hang_up, AttachProblem::wrong_kind, [](Exported&) {
        set(hang_up, fcntl(eventfd(0, EFD_NONBLOCK), F_DUPFD_CLOEXEC, 10));
    });
    check_refused(hang_up, AttachProblem::wrong_object, [](Exported&) {
        int ends[2];
        expect(pipe(ends) == 0);
        set(hang_up, fcntl(ends[1], F_DUPFD_CLOEXEC, 10));
    });
    check_refused(hang_up, AttachProblem::wrong_access,
                  [](Exported& exported) { set(hang_up, exported.other_end); });
    check_refused(hang_up, AttachProblem::wrong_access, [](Exported& exported) {
        const std::string path = "/proc/self/fd/" + std::to_string(exported.other_end);
        set(hang_up, fcntl(open(path.c_str(), O_RDWR), F_DUPFD_CLOEXEC, 10));
    });
}

TEST_CASE("the right eventfds the wrong way round are the wrong ones") {
    check_refused(local, AttachProblem::wrong_object, [](Exported& exported) {
        set(local, exported.barrier.native()->remote_fd);
        set(remote, exported.barrier.native()->local_fd);
    });
}

// A write of 0 adds nothing, but wakes whoever waits for an edge of a counter that is not empty.
TEST_CASE("what turns out to be somebody else's eventfd was not touched") {
    for (const char* variable : {local, remote}) {
        Peer peer([&] {
            const Exported exported;
            const int other = fcntl(eventfd(1, EFD_NONBLOCK), F_DUPFD_CLOEXEC, 10);
            const int watcher = epoll_create1(EPOLL_CLOEXEC);
            epoll_event event{};
            event.events = EPOLLIN | EPOLLET;
            expect(epoll_ctl(watcher, EPOLL_CTL_ADD, other, &event) == 0);
            expect(epoll_wait(watcher, &event, 1, 0) == 1);
            set(variable, other);
            expect_refused(AttachProblem::wrong_object, variable);
            expect(epoll_wait(watcher, &event, 1, 0) == 0);
        });
        CAPTURE(variable);
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE(
    "two variables that name one eventfd by two numbers are refused, whatever ids were given") {
    check_refused(remote, AttachProblem::not_distinct, [](Exported& exported) {
        std::string value = value_of(state);  // ...:LOCAL_ID:REMOTE_ID:PIPE_INODE
        for (int field = 0; field < 3; ++field) {
            value.resize(value.rfind(':'));
        }
        set(state, value + ":0:0:0");
        set(remote, fcntl(exported.barrier.native()->local_fd, F_DUPFD_CLOEXEC, 10));
    });
}

TEST_CASE("two variables that name one descriptor are refused") {
    check_refused(remote, AttachProblem::not_distinct,
                  [](Exported& exported) { set(remote, exported.barrier.native()->local_fd); });
    check_refused(hang_up, AttachProblem::not_distinct,
                  [](Exported& exported) { set(hang_up, exported.barrier.native()->local_fd); });
    check_refused(hang_up, AttachProblem::not_distinct,
                  [](Exported& exported) { set(hang_up, exported.barrier.native()->remote_fd); });
}

TEST_CASE("a full counter is still an eventfd, and attach does not change it") {
    Peer peer([] {
        const Exported exported;
        const int fd = exported.barrier.native()->local_fd;
        expect(fcntl(fd, F_SETFL, O_RDWR) == 0);  // were it to block here, the watchdog would bark
        expect(eventfd_write(fd, UINT64_MAX - 1) == 0);
        const Barrier attached = attach();
        expect(eventfd_count(fd) == UINT64_MAX - 1);
    });
    CHECK(peer.ending() == reached_the_end);
}
