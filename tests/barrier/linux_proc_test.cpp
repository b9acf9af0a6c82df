#include "barrier/linux/proc.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include <syncspawn/barrier/unique_fd.hpp>

#include "support/namespaces.hpp"
#include "support/observe.hpp"
#include "support/peer.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
namespace proc = syncspawn::detail::proc;

namespace {

// A file with this text, for as long as this is there.
class TextFile {
public:
    explicit TextFile(const std::string& text) {
        const int fd = mkstemp(path_);
        REQUIRE(fd >= 0);
        close(fd);
        std::ofstream(path_) << text;
    }
    ~TextFile() { unlink(path_); }
    TextFile(const TextFile&) = delete;
    TextFile& operator=(const TextFile&) = delete;
    const char* path() const noexcept { return path_; }

private:
    char path_[32] = "/tmp/syncspawn-proc-XXXXXX";
};

// The number behind a key, -1 for nothing.
std::int64_t number_behind(const std::string& text, const char* key, unsigned base = 10) {
    const TextFile written(text);
    proc::File file(written.path());
    return file.find(key) ? file.number(base).value_or(-1) : -1;
}

std::int64_t flags_in(const char* name) {
    REQUIRE(prctl(PR_SET_NAME, name) == 0);
    const auto flags = proc::flags_of(getpid());
    REQUIRE(flags);
    return static_cast<std::int64_t>(*flags);
}

}  // namespace

TEST_CASE("a key is found at the beginning of a line only") {
    CHECK(number_behind("Pid:\t1\n", "Pid:") == 1);
    CHECK(number_behind("PPid:\t1\nPid:\t2\n", "Pid:") == 2);
    CHECK(number_behind("a Pid: 1\n\n\nPid: 2", "Pid:") == 2);
    CHECK(number_behind("PPPid: 1\nPPid: 2\n", "PPid:") == 2);
    CHECK(number_behind("Pi\nPid: 3\n", "Pid:") == 3);
    CHECK(number_behind("Pid\n", "Pid:") == -1);
    CHECK(number_behind("", "Pid:") == -1);
}

TEST_CASE("a line may be longer than what is read at once, and a key may lie across two pieces") {
    for (std::size_t size = 1000; size < 1030; ++size) {
        CAPTURE(size);
        CHECK(number_behind("Groups: " + std::string(size, '1') + "\nNext: 4711\n", "Next:") ==
              4711);
    }
    CHECK(number_behind("Groups: " + std::string(70'000, '1') + "\nNext: 42\n", "Next:") == 42);
}

TEST_CASE("numbers are read in their base, and no line yields those of the next") {
    CHECK(number_behind("SigCgt:\t0000000180004a07\n", "SigCgt:", 16) == 0x180004a07);
    CHECK(number_behind("flags:\t02100002\n", "flags:", 8) == 02100002);
    CHECK(number_behind("x: -5\n", "x:") == -5);
    CHECK(number_behind("x: \n7\n", "x:") == -1);
    CHECK(number_behind("x: running\n", "x:") == -1);
    const TextFile all("SigBlk: ffffffffffffffff\n");
    proc::File file(all.path());
    REQUIRE(file.find("SigBlk:"));
    CHECK(file.number(16) == std::int64_t{-1});
}

TEST_CASE("several numbers of a line are read one by one") {
    const TextFile text("NSpid:\t4711\t12\t1\nOther: 5\n");
    proc::File status(text.path());
    const proc::OwnNumbers numbers = proc::own_numbers(status);
    CHECK(numbers.count == 3);
    CHECK(numbers.last == 1);
    CHECK(status.find("Other:"));
    CHECK(status.number() == 5);
}

TEST_CASE("lines are read to the last, which may lack its end") {
    const TextFile text("a b\n\nc");
    proc::File file(text.path());
    std::string line;
    CHECK(file.read_line(line));
    CHECK(line == "a b");
    CHECK(file.read_line(line));
    CHECK(line.empty());
    CHECK(file.read_line(line));
    CHECK(line == "c");
    CHECK_FALSE(file.read_line(line));
}

TEST_CASE("a file that is not there, a directory and a path that is too long hold nothing") {
    CHECK(proc::File("/no/such/file").peek() == proc::File::end);
    CHECK(proc::File("/proc").peek() == proc::File::end);
    CHECK_FALSE(proc::number_in("/no/such/file"));
    // Cut, this would be the path of a file that is there.
    const TextFile text("1");
    const std::string slashes(95 - std::string(text.path()).size(), '/');
    CHECK(proc::number_in(slashes, text.path()) == 1);
    CHECK_FALSE(proc::number_in(slashes, text.path(), "/x"));
    CHECK_FALSE(proc::status_number(-1, "Pid:"));
    CHECK(proc::status_text("no process", "State:").empty());
}

TEST_CASE("the reader agrees with what this process knows of itself") {
    CHECK(proc::status_number("self", "Tgid:") == getpid());
    CHECK(proc::status_number(getpid(), "PPid:") == getppid());
    CHECK(proc::status_text(getpid(), "Name:") == value_in("/proc/self/status", "Name"));
    CHECK(proc::is_ancestor(getppid()));
    CHECK_FALSE(proc::is_ancestor(getpid()));
}

TEST_CASE("two eventfds have different numbers, a pipe has none") {
    const UniqueFd one(eventfd(0, EFD_CLOEXEC));
    const UniqueFd other(eventfd(0, EFD_CLOEXEC));
    const UniqueFd copy(dup(one.get()));
    const UniqueFd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
    CHECK(proc::eventfd_id(one.get()) != proc::eventfd_id(other.get()));
    CHECK(proc::eventfd_id(one.get()) == proc::eventfd_id(copy.get()));
    CHECK(proc::eventfd_id(file.get()) == 0);
    CHECK(proc::eventfd_id(-1) == 0);
}

TEST_CASE("the name of a process does not disturb what stands behind it in its stat") {
    const std::string name = value_in("/proc/self/status", "Name");
    const std::int64_t flags = flags_in("plain");
    for (const char* odd : {"a) b", ") 1 2 3 4 5 6 7", "))) ((", "a\nb) S 1 "}) {
        CAPTURE(odd);
        CHECK(flags_in(odd) == flags);
    }
    CHECK(flags_in(name.c_str()) == flags);
    CHECK_FALSE(proc::flags_of(-1));
}

TEST_CASE("a process that was forked and never executed has the flag that says so") {
    constexpr std::uint64_t forked_but_never_executed = 0x40;
    const Peer peer([] { pause(); });
    const auto flags = proc::flags_of(peer.pid());
    REQUIRE(flags);
    CHECK((*flags & forked_but_never_executed) != 0);
    CHECK((proc::flags_of(getpid()).value_or(0) & forked_but_never_executed) == 0);
}

TEST_CASE("the /proc of the pid namespace is told from others and from none") {
    CHECK(proc::is_of_this_pid_namespace());
    CHECK(proc::pid_namespace() != 0);
    SUBCASE("none") {
        Peer peer = peer_in_namespaces(CLONE_NEWNS, [] {
            cover_proc();
            expect(!proc::is_of_this_pid_namespace());
            expect_same(proc::pid_namespace(), 0);
        });
        CHECK_REACHED_THE_END_OR_SKIP(peer);
    }
    SUBCASE("that of an outer one") {
        Peer peer = peer_in_namespaces(CLONE_NEWPID, [] {
            Peer inner([] {
                expect_same(getpid(), 1);
                expect(!proc::is_of_this_pid_namespace());
                proc::File status("/proc/self/status");
                const proc::OwnNumbers numbers = proc::own_numbers(status);
                expect(numbers.count >= 2);
                expect_same(numbers.last, 1);
            });
            expect(inner.ending() == reached_the_end);
        });
        CHECK_REACHED_THE_END_OR_SKIP(peer);
    }
}
