#include <doctest/doctest.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <iterator>
#include <string>
#include <vector>

#include "support/skip.hpp"
#include "tree.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// Two directories as layers, and two for writes.
struct Sources {
    Sources() {
        REQUIRE(output_of(shell("cd " + directory.path() +
                                " && mkdir low high upper work && echo low >low/a && "
                                "echo low >low/b && echo high >high/b && chmod 755 ."))
                    .empty());
    }
    [[nodiscard]] std::vector<std::string> layers() const {
        return {directory / "low", directory / "high"};
    }
    [[nodiscard]] FileOperation overlay() const {
        return Mount::overlay(layers(), directory / "upper", directory / "work", "/o");
    }
    TemporaryDirectory directory{};
};

// In a peer: as before Linux 6.13, where an overlay takes no descriptors.
void refuse_descriptors_to_file_systems() {
    sock_filter filter[]{
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, SYS_fsconfig},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, args[1])},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, FSCONFIG_SET_FD},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EINVAL},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    const sock_fprog program{std::size(filter), filter};
    expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

}  // namespace

TEST_CASE("a read-only overlay shows its layers, the last one on top") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const Sources sources;
    const HostStays host(sources.directory.path());
    for (const Privileges privileges : all_privileges()) {
        CHECK(seen("cd /o && cat a b; touch x",
                   with_programs({Mount::read_only_overlay(sources.layers(), "/o")}), {},
                   {.privileges = privileges}) ==
              "low\nhigh\ntouch: cannot touch 'x': Read-only file system\n[exited with code 1]");
    }
}

TEST_CASE("what is written to a temporary overlay vanishes, and each has its own") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const Sources sources;
    const HostStays host(sources.directory.path());
    for (const Privileges privileges : all_privileges()) {
        for (int launch = 0; launch < 2; ++launch) {
            CHECK(seen("cd /o && cat a b; echo new >a; rm b; mkdir c; cat a; ls; cat /p/a",
                       with_programs({Mount::temporary_overlay(sources.layers(), "/o"),
                                      Mount::temporary_overlay(sources.layers(), "/p"),
                                      Mount::directory("/o/own")}),
                       {}, {.privileges = privileges}) == "low\nhigh\nnew\na\nc\nown\nlow\n");
        }
    }
}

TEST_CASE("what is written to an overlay goes to its upper directory") {
    SKIP_WITHOUT_USER_NAMESPACES();
    for (const Privileges privileges : all_privileges()) {
        const Sources sources;
        CHECK(seen("echo new >/o/a; rm /o/b", with_programs({sources.overlay()}), {},
                   {.privileges = privileges})
                  .empty());
        CHECK(read_file(sources.directory / "upper/a") == "new\n");
        CHECK(read_file(sources.directory / "low/a") == "low\n");
        // The kernel leaves a directory of root's in there.
        REQUIRE(output_of(shell("rm -rf " + (sources.directory / "work"))).empty());
    }
}

TEST_CASE("a kernel that takes no descriptors for layers gets their names") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const Sources sources;
    Peer peer([&] {
        refuse_descriptors_to_file_systems();
        const std::string text = seen(
            "cat /o/a /o/b /p/b; echo new >/o/a; echo new >/p/a",
            with_programs({sources.overlay(), Mount::temporary_overlay(sources.layers(), "/p")}));
        expect_same(text.c_str(), "low\nhigh\nhigh\n");
        expect_same(read_file(sources.directory / "upper/a").c_str(), "new\n");
        const std::vector<std::string> many(20, sources.directory / "low");
        expect(contains(seen("true", with_programs({Mount::read_only_overlay(many, "/o")})),
                        "overlay '/o': so many layers take Linux 6.13"));
    });
    CHECK(peer.ending() == reached_the_end);
}
