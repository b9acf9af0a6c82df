// A cgroup whose memory runs out ends what is in it, and never the process that launched it.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/peer.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

bool write_to(const std::string& file, const std::string& text) {
    const UniqueFd opened(open(file.c_str(), O_WRONLY | O_CLOEXEC));
    return opened &&
           write(opened.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// A new cgroup with a limit of memory: of version 2, or of version 1 where that has the controller.
class LimitedCgroup {
public:
    LimitedCgroup() {
        std::ifstream mounts("/proc/self/mounts");
        for (std::string device, place, type, rest; mounts >> device >> place >> type;) {
            std::getline(mounts, rest);
            const bool is_second = type == "cgroup2";
            if (!directory_ && (is_second || (type == "cgroup" && place.ends_with("/memory")))) {
                make(place, is_second ? "memory.max" : "memory.limit_in_bytes");
                is_of_version_2_ = is_second;
            }
        }
        if (!directory_) {
            leave_out("no memory cgroup can be made here");
        }
    }
    ~LimitedCgroup() {
        if (directory_) {
            // Those that were killed are in it until they are gone.
            comes_true([&] { return rmdir(path_.c_str()) == 0; });
        }
    }
    LimitedCgroup(const LimitedCgroup&) = delete;
    LimitedCgroup& operator=(const LimitedCgroup&) = delete;
    explicit operator bool() const noexcept { return static_cast<bool>(directory_); }
    [[nodiscard]] int fd() const noexcept { return directory_.get(); }
    [[nodiscard]] bool is_of_version_2() const noexcept { return is_of_version_2_; }
    bool take(pid_t process) const {
        return write_to(path_ + "/cgroup.procs", std::to_string(process));
    }

private:
    void make(const std::string& place, const std::string& limit) {
        std::string made = place + "/syncspawn-test-" + std::to_string(getpid()) + "-XXXXXX";
        if (mkdtemp(made.data()) == nullptr) {
            return;
        }
        if (!write_to(made + "/" + limit, std::to_string(8 << 20))) {
            rmdir(made.c_str());
            return;
        }
        (void)write_to(made + "/memory.swap.max", "0");
        path_ = made;
        directory_ = UniqueFd(open(made.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    std::string path_;
    UniqueFd directory_;
    bool is_of_version_2_ = false;
};

constexpr std::size_t much = std::size_t{64} << 20;

// More than the limit. Async-signal-safe.
void use_much_memory() noexcept {
    void* const memory =
        mmap(nullptr, much, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (std::size_t byte = 0; memory != MAP_FAILED && byte < much; byte += 4096) {
        static_cast<volatile char*>(memory)[byte] = 1;
    }
}

// In a peer, which is large, so that it would be the first to be killed.
void expect_child_alone_is_killed(SyncedSpawner& spawner) {
    std::vector<char> ballast(2 * much, 'x');
    const SpawnError error = failure_of(spawner);
    expect(std::string(error.what()).find("SIGKILL") != std::string::npos);
    expect(ballast[much] == 'x');
}

}  // namespace

TEST_CASE("a part of the parent may put a child with copied memory into a cgroup that runs full") {
    const LimitedCgroup cgroup;
    if (!cgroup) {
        return;
    }
    Peer peer([&] {
        SyncedSpawner spawner({.program = "true", .birth = {.method = StartMethod::copied_memory}});
        spawner.step({.name = "move", .parent = [&](ParentSide& side) {
                          return cgroup.take(side.child_pid()) ? side.done() : side.fail("move");
                      }});
        spawner.rendezvous("moved");
        spawner.step({.name = "fill", .child = sharing([](ChildSide&) { use_much_memory(); })});
        expect_child_alone_is_killed(spawner);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a child that is born into a cgroup that runs full is killed alone") {
    const LimitedCgroup cgroup;
    if (!cgroup) {
        return;
    }
    if (!cgroup.is_of_version_2()) {
        SKIP_TEST("cgroup v2 has no memory controller here");
    }
    Peer peer([&] {
        SyncedSpawner spawner({.program = "true", .birth = {.cgroup = cgroup.fd()}});
        spawner.step({.name = "fill", .child = sharing([](ChildSide&) { use_much_memory(); })});
        expect_child_alone_is_killed(spawner);
    });
    CHECK(peer.ending() == reached_the_end);
}
