#pragma once

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox.hpp>

#include "support/environment.hpp"
#include "support/launched.hpp"
#include "support/loopback_server.hpp"
#include "support/ordinary_user.hpp"
#include "support/peer.hpp"

// What a program tries in each environment, and what it may.

namespace syncspawn::testing {

using namespace syncspawn::sandbox;

// Everybody may write to all of it, so that no permission is what refuses.
class Workspace : public TemporaryDirectory {
public:
    Workspace() {
        for (const char* directory : {"", "src", "src/keys", "other"}) {
            const std::string path = *this / directory;
            mkdir(path.c_str(), 0777);
            chmod(path.c_str(), 0777);
        }
        for (const char* name : {"src/file", "src/keys/id", "other/file"}) {
            chmod(file(name, "text", 0666).c_str(), 0666);
        }
        const UniqueFd made(mkstemp(in_var_tmp_.data()));
        REQUIRE((made && fchmod(made.get(), 0666) == 0));
    }
    ~Workspace() { unlink(in_var_tmp_.c_str()); }
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    [[nodiscard]] const std::string& in_var_tmp() const noexcept { return in_var_tmp_; }

    // As for somebody else's build. Nothing in it takes a cgroup.
    [[nodiscard]] Policy policy() const {
        return {.files = {.writable = {*this / "src"},
                          .read_only = {*this / "other", SYNCSPAWN_TEST_HELPERS},
                          .protected_paths = {*this / "src/.git"},
                          .hidden = {*this / "src/keys"}},
                .limits = {.open_files = 256, .wall_clock = std::chrono::minutes(10)}};
    }

private:
    std::string in_var_tmp_ = "/var/tmp/syncspawn-test-XXXXXX";
};

// A line of "yes" and "no", in this order: it reads the host's files; writes to its TMPDIR, and to its directory; makes
// .git there, reads keys there; writes to the other directory, truncates a file there; reads a file in the host's
// /var/tmp; reaches the server of the host; signals the process that launches it.
inline std::string script_for(const Workspace& place, const LoopbackServer& server) {
    const std::string attempt = "can " SYNCSPAWN_TEST_HELPERS "/landlock_attempt ";
    return "can() { \"$@\" >/dev/null 2>&1 && printf 'yes ' || printf 'no '; }\n"
           "can cat /etc/passwd\n"
           "can cp /etc/passwd $TMPDIR/x\n"
           "cd " +
           place.path() +
           " 2>/dev/null\n"
           "can cp /etc/passwd src/file\n"
           "can mkdir src/.git\n"
           "can cat src/keys/id\n"
           "can cp /etc/passwd other/file\n" +
           attempt + "truncate other/file\ncan cat " + place.in_var_tmp() + "\n" + attempt +
           "connect " + std::to_string(server.port()) + "\ncan kill -0 " +
           std::to_string(getpid()) + "\ncat";
}
inline const std::string only_its_own = "yes yes yes no no no no no no no ";
inline const std::string only_its_tmp =
    "yes yes no no no no no no no no ";  // by the default policy

inline bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// In a peer: launches the program, and expects that it may what the policy says and that the report agrees with the
// plan.
inline void expect_held(const Sandbox& sandbox, const std::string& script,
                        const std::string& wanted, int line = __builtin_LINE()) {
    SpawnOptions options = shell(script);
    options.streams.input = Stdio::pipe();
    options.streams.output = Stdio::pipe();
    SyncedSpawner spawner(std::move(options));
    sandbox.add_to(spawner);
    SpawnError error;
    Process program = spawner.spawn(error);
    if (error) {
        expect_same(error.what(), "a launch", line);
    }
    const Enforcement report = sandbox.enforcement(program);
    program.take_standard_input().reset();
    expect_same(read_all(program.standard_output()).c_str(), wanted.c_str(), line);
    const std::vector<Holding> planned = sandbox.explain().holdings;
    expect(report.is_as_planned() && report.guarantees.size() == planned.size(), line);
    for (std::size_t at = 0; at < planned.size(); ++at) {
        expect(report.guarantees[at].holding.to_string() == planned[at].to_string(), line);
    }
}

// What this machine cannot emulate is left out, and nothing else with it.
inline void check_end_of(Peer& peer) {
    if (const std::string reason = peer.left_out(); !reason.empty()) {
        leave_out(reason);
    } else {
        CHECK(peer.ending() == reached_the_end);
    }
}

// Enters the environment, once for the default policy and once for that of a workspace, and lets `hold` try each.
template <class Hold>
void check_in(void (*enter)(), Hold hold) {
    const Workspace place;
    const LoopbackServer server;
    Peer by_default([&] {
        enter();
        hold(Policy{}, script_for(place, server), only_its_tmp);
    });
    check_end_of(by_default);
    Peer realistic([&] {
        enter();
        hold(place.policy(), script_for(place, server), only_its_own);
    });
    check_end_of(realistic);
}

// What a machine needs so that these tests can take things away from it.
inline std::string what_is_missing_here() {
    Peer peer([&] {
        become_ordinary_user();
        const Machine machine = Machine::probe();
        const NamespaceAbilities& inside = machine.in_user_namespace;
        const Ability old{.refusal = std::make_error_code(std::errc::not_supported),
                          .cause = "Landlock is older than version 7"};
        for (const Ability& one :
             {machine.user_namespace, inside.mounts, inside.fresh_proc, inside.network,
              machine.landlock, machine.landlock_version < 7 ? old : Ability(),
              machine.system_call_filters}) {
            if (!one) {
                leave_out_here(one.cause.c_str());
            }
        }
    });
    return peer.left_out();
}

}  // namespace syncspawn::testing
