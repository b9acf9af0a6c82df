#include <doctest/doctest.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <syncspawn/sandbox/privileges.hpp>
#include <syncspawn/steps.hpp>

#include "support/launched.hpp"
#include "support/namespaces.hpp"
#include "support/ordinary_user.hpp"
#include "support/shared_memory.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using Names = sandbox::CapabilityNames;
using sandbox::capabilities;
using sandbox::CapabilitySets;
using sandbox::only_capabilities;
using sandbox::SecureBits;

namespace {

constexpr auto net_bind = std::uint64_t{1} << CAP_NET_BIND_SERVICE;
constexpr auto kill_others = std::uint64_t{1} << CAP_KILL;

// What the program finds in /proc/self/status; the error of a launch that fails, for peers.
std::string status_after(std::vector<Step> steps, const Birth& birth = {}) {
    SpawnOptions options{.program = "cat", .arguments = {"/proc/self/status"}, .birth = birth};
    options.streams.output = Stdio::pipe();
    SyncedSpawner spawner(std::move(options));
    for (Step& step : steps) {
        spawner.step(std::move(step));
    }
    try {
        return read_all(spawner.spawn().standard_output());
    } catch (const SpawnError& error) {
        return error.what();
    }
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::string line(const char* set, std::uint64_t bits) {
    char text[40];
    (void)std::snprintf(text, sizeof text, "%s:\t%016llx\n", set,
                        static_cast<unsigned long long>(bits));
    return text;
}

// Of CapInh, CapPrm, CapEff, CapBnd, CapAmb.
bool has_all(const std::string& status, std::uint64_t bits) {
    return contains(status, line("CapInh", bits) + line("CapPrm", bits) + line("CapEff", bits) +
                                line("CapBnd", bits) + line("CapAmb", bits));
}

// "CapBnd:\t..." of this process.
std::string own_line(const std::string& set) {
    return set + ":\t" + value_in("/proc/self/status", set) + "\n";
}

bool lacks_capabilities() { return prctl(PR_CAPBSET_READ, CAP_KILL) != 1 || geteuid() != 0; }

#define SKIP_UNLESS_ROOT()                               \
    if (lacks_capabilities()) {                          \
        SKIP_TEST("this user has no capabilities here"); \
    }

Step look(const char* what, bool (*holds)()) {
    return {.name = what, .child = shared_memory([what, holds](ChildSide& side) {
                              return holds() ? side.done() : side.fail(EIO, what);
                          })};
}

bool is_dumpable() { return prctl(PR_GET_DUMPABLE) == 1; }

}  // namespace

TEST_CASE("root is left with no capabilities, or with those that are named") {
    SKIP_UNLESS_ROOT();
    for (const StartMethod method : start_methods()) {
        const Birth birth{.method = method};
        CHECK_FALSE(has_all(status_after({}, birth), 0));
        CHECK(has_all(status_after({capabilities(only_capabilities({}))}, birth), 0));
        CHECK(has_all(status_after({capabilities(only_capabilities({"NET_BIND_SERVICE"}))}, birth),
                      net_bind));
        CHECK(has_all(status_after({capabilities(only_capabilities({"cap_kill", "10"}))}, birth),
                      net_bind | kill_others));
    }
}

TEST_CASE("an ordinary user's program keeps what root gave the child") {
    SKIP_UNLESS_ROOT();
    const sandbox::CapabilityNames kept{"cap_net_bind_service"};
    const auto status = [&](std::vector<Step> steps) { return status_after(std::move(steps)); };
    const std::string with =
        status({sandbox::secure_bits(SecureBits::keep_capabilities), steps::become("nobody"),
                capabilities(only_capabilities(kept))});
    CHECK(contains(with, "Uid:\t65534\t65534\t65534\t65534\n"));
    CHECK(has_all(with, net_bind));
    const std::string without =
        status({steps::become("nobody"), capabilities(only_capabilities(kept))});
    CHECK(contains(without,
                   "capabilities in the child: permitted set: the child does not have "
                   "cap_net_bind_service: operation not permitted"));
}

TEST_CASE("each set can be set alone, and the others stay") {
    SKIP_UNLESS_ROOT();
    const std::string bounding = status_after({capabilities({.bounding = Names{"cap_kill"}})});
    CHECK(contains(bounding, line("CapBnd", kill_others)));
    CHECK(contains(bounding, line("CapPrm", kill_others)));  // root gets no more by execve
    // Root gets what is inheritable even if it is not in the bounding set.
    const std::string inheritable = status_after({capabilities(
        {.bounding = Names{"cap_kill"}, .inheritable = Names{"cap_net_bind_service"}})});
    CHECK(contains(inheritable, line("CapPrm", net_bind | kill_others)));
    const std::string permitted = status_after({capabilities({.permitted = Names{"cap_kill"}})});
    CHECK(contains(permitted, own_line("CapBnd")));
    CHECK(contains(permitted, own_line("CapEff")));
    const std::string held =
        status_after({capabilities({.permitted = Names{"cap_kill"}}), steps::no_new_privileges()});
    CHECK(contains(held, line("CapPrm", kill_others)));  // execve adds none then
}

TEST_CASE("an ordinary user cannot lower the bounding set, and says so or leaves it") {
    Peer peer([] {
        become_ordinary_user();
        CapabilitySets none = only_capabilities({});
        expect(contains(status_after({capabilities(none)}), "dropping from it takes CAP_SETPCAP"));
        none.without_setpcap = sandbox::WithoutSetpcap::leave_bounding;
        const std::string status = status_after({capabilities(none), steps::no_new_privileges()});
        expect(contains(status, line("CapInh", 0) + line("CapPrm", 0) + line("CapEff", 0) +
                                    own_line("CapBnd") + line("CapAmb", 0)));
        expect(contains(status_after({capabilities({.permitted = Names{"cap_kill"}})}),
                        "permitted set: the child does not have cap_kill"));
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("in a user namespace all of it is there to be dropped, also for an ordinary user") {
    Peer probe = peer_in_namespaces(CLONE_NEWUSER, [] {});
    CHECK_REACHED_THE_END_OR_SKIP(probe);
    Peer peer([] {
        become_ordinary_user();
        const Birth birth{.namespaces = Namespaces::user};
        expect(!has_all(status_after({steps::map_root()}, birth), 0));
        expect(has_all(
            status_after({steps::map_root(), capabilities(only_capabilities({}))}, birth), 0));
        expect(has_all(
            status_after({steps::map_caller(), capabilities(only_capabilities({"kill"}))}, birth),
            kill_others));
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("memory stays dumpable, whatever is dropped") {
    for (const StartMethod method : start_methods()) {
        CapabilitySets none = only_capabilities({});
        none.without_setpcap = sandbox::WithoutSetpcap::leave_bounding;
        SyncedSpawner spawner({.program = "true", .birth = {.method = method}});
        spawner.step(sandbox::secure_bits(SecureBits::keep_capabilities));
        spawner.step(sandbox::new_session_keyring(sandbox::WithoutKeyrings::go_on));
        if (!lacks_capabilities()) {
            CapabilitySets one = only_capabilities({"cap_kill", "cap_setpcap"});
            one.secure_bits = SecureBits::no_root;
            spawner.step(capabilities(one));  // an ambient one is raised
            spawner.step(look("dumpable after raising", is_dumpable));
        }
        spawner.step(capabilities(none));
        spawner.step(look("dumpable", is_dumpable));
        for (int launch = 0; launch < 3; ++launch) {
            Process process = spawner.spawn();
            CHECK(process.start_method() == method);
            CHECK(process.wait().success());
        }
    }
}

TEST_CASE("secure bits are set, locked, and set together with what they would forbid") {
    SKIP_UNLESS_ROOT();
    const std::string no_root = status_after({sandbox::secure_bits(SecureBits::no_root)});
    CHECK(contains(no_root, line("CapEff", 0)));
    CHECK(contains(no_root, own_line("CapBnd")));
    CapabilitySets one = only_capabilities({"cap_kill"});
    one.secure_bits = locked(SecureBits::no_root | SecureBits::no_ambient_raise);
    const Step has_bits = look("secure bits", [] {
        return prctl(PR_GET_SECUREBITS) ==
               (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED);
    });
    CHECK(has_all(status_after({capabilities(one), has_bits}), kill_others));
    CHECK(contains(
        status_after({capabilities(one), sandbox::secure_bits(SecureBits::no_setuid_fixup)}),
        "CAP_SETPCAP is missing"));
    CHECK(contains(status_after({sandbox::secure_bits(SecureBits::no_ambient_raise),
                                 capabilities(only_capabilities({"cap_kill"}))}),
                   "a secure bit forbids it"));
}

TEST_CASE("sets that nobody can have are misuse, and so are names that nothing has") {
    const auto refuse = [](const CapabilitySets& sets) {
        CHECK_THROWS_AS((void)capabilities(sets), std::invalid_argument);
    };
    refuse({});
    refuse({.secure_bits = SecureBits::no_root});
    refuse({.permitted = Names{"cap_of_no_kind"}});
    refuse({.permitted = Names{""}});
    refuse({.permitted = Names{"64"}});
    refuse({.permitted = Names{}, .effective = Names{"cap_kill"}});
    refuse({.permitted = Names{}, .ambient = Names{"cap_kill"}});
    refuse({.inheritable = Names{}, .ambient = Names{"cap_kill"}});
    CHECK_THROWS_AS((void)capabilities({.permitted = Names{"63"}}), std::system_error);
    CHECK_THROWS_AS((void)sandbox::secure_bits(SecureBits::none), std::invalid_argument);
    const sandbox::CapabilityNames all = sandbox::all_capabilities();
    CHECK(all.size() > 30);
    CHECK(all[CAP_NET_BIND_SERVICE] == "cap_net_bind_service");
    CHECK_NOTHROW((void)capabilities({.permitted = all}));
}

TEST_CASE("who says yes and does nothing is found out") {
    SKIP_UNLESS_ROOT();
    Peer peer([] {
        refuse_system_calls({SYS_capset}, 0);
        expect(
            contains(status_after({capabilities(only_capabilities({}))}), "are others afterwards"));
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("the program does not find the keys of the caller's session") {
    Peer peer([] {
        if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0 ||
            syscall(SYS_add_key, "user", "syncspawn-test", "x", 1, KEY_SPEC_SESSION_KEYRING) < 0) {
            leave_out_here("this machine has no keyrings");
        }
        const auto found = [](std::vector<Step> steps) {
            SpawnOptions options{.program = SYNCSPAWN_TEST_HELPERS "/find_key",
                                 .arguments = {"syncspawn-test"}};
            options.streams.output = Stdio::pipe();
            SyncedSpawner spawner(std::move(options));
            for (Step& step : steps) {
                spawner.step(std::move(step));
            }
            return read_all(spawner.spawn().standard_output());
        };
        expect_same(found({}).c_str(), "syncspawn-test\n");
        expect_same(found({sandbox::new_session_keyring()}).c_str(), "");
        expect_same(found({}).c_str(), "syncspawn-test\n");  // the caller's is as it was
        refuse_system_calls({SYS_keyctl}, EPERM);
        expect(contains(status_after({sandbox::new_session_keyring()}), "a container's filter"));
        expect(contains(
            status_after({sandbox::new_session_keyring(sandbox::WithoutKeyrings::go_on)}), "Uid:"));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}
