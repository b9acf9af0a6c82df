// A strict policy, where something is refused: it holds whole, or the error names what, why, and what to do.

#include "scene.hpp"

#include <cerrno>

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

struct Refusal {
    int error;
    const char* cause;
    const char* remedy;
    std::vector<Guarantee> guarantees;
};

struct Refuser {
    std::string name;
    void (*enter)();
    std::vector<Refusal> refused{};  // empty: all holds whole
};

const std::vector<Guarantee> all_by_mounts{Guarantee::files, Guarantee::services,
                                           Guarantee::processes};

const std::vector<Refuser> refusers{
    {"an ordinary user", [] { become_ordinary_user(); }},
    {"a container's root", [] { root_without_capabilities(); }},
    {"a container's root without CAP_SETFCAP",
     [] { root_without_capabilities(KeptCapabilities::none); },
     {{EPERM, "root without CAP_SETFCAP", "--cap-add SETFCAP", all_by_mounts}}},
    {"Docker",
     [] { docker_profile(); },
     {{EPERM, "a seccomp filter", "--security-opt seccomp", all_by_mounts}}},
    {"Docker's filter, and all capabilities",
     [] { docker_filter(); },
     {{EPERM, "a seccomp filter", "--security-opt seccomp", all_by_mounts}}},
    {"Docker's filter, and an ordinary user",
     [] {
         become_ordinary_user();
         docker_filter();
     },
     {{EPERM, "a seccomp filter", "--security-opt seccomp", all_by_mounts}}},
    {"AppArmor on Ubuntu 24.04",
     [] { stripped_user_namespaces(); },
     {{EPERM, "AppArmor takes away", "allows \"userns\"", all_by_mounts}}},
    {"no user namespaces",
     [] {
         no_user_namespaces();
         become_ordinary_user();
     },
     {{ENOSPC, "user.max_user_namespaces is 0", "raise the sysctl", all_by_mounts}}},
    {"a covered /proc",
     [] {
         covered_proc();
         become_ordinary_user();
     },
     {{EPERM, "are covered", "systempaths=unconfined", {Guarantee::processes}}}},
    {"a covered /proc, and a container's root",
     [] {
         covered_proc();
         root_without_capabilities();
     },
     {{EPERM, "are covered", "systempaths=unconfined", {Guarantee::processes}}}},
    {"no /proc",
     [] {
         no_proc();
         become_ordinary_user();
     },
     {{ENOENT, "/proc is not mounted here", "mount -t proc", all_by_mounts}}},
    {"a chroot",
     [] {
         in_chroot();
         become_ordinary_user();
     },
     {{EPERM, "in a chroot", "pivot_root", all_by_mounts}}},
    {"a Landlock domain",
     [] {
         become_ordinary_user();
         in_landlock_domain();
     },
     {{EPERM, "a Landlock domain", "outside of that domain", all_by_mounts}}},
    {"no Landlock", [] { without_landlock(); }},
    {"Landlock switched off", [] { without_landlock(NoLandlock::not_enabled); }},
    {"the Landlock of Linux 6.1", [] { old_landlock(2); }},
};

// As planned by `policy`: the program is held to it, or all that is refused is told.
void expect_strict(const Refuser& refuser, const Policy& policy, const std::string& script,
                   const std::string& wanted) {
    try {
        const Sandbox sandbox(policy);
        expect(refuser.refused.empty());
        for (const Holding& holding : sandbox.explain().holdings) {
            expect(holding.is_whole);
        }
        expect_held(sandbox, script, wanted);
    } catch (const PolicyError& error) {
        std::size_t told = 0;
        for (const Refusal& refusal : refuser.refused) {
            for (const Guarantee guarantee : refusal.guarantees) {
                expect(told < error.problems().size());
                const Problem& problem = error.problems()[told++];
                expect(problem.guarantee == guarantee && !problem.mechanism.empty());
                expect_same(problem.code.value(), refusal.error);
                expect(has(problem.what, refusal.cause) && has(problem.remedy, refusal.remedy));
            }
        }
        expect_same(static_cast<long long>(told), static_cast<long long>(error.problems().size()));
    }
}

}  // namespace

TEST_CASE("where something is refused, a policy holds whole or the error tells the true cause") {
    if (const std::string missing = what_is_missing_here(); !missing.empty()) {
        SKIP_TEST(missing);
    }
    for (const Refuser& refuser : refusers) {
        CAPTURE(refuser.name);
        check_in(refuser.enter,
                 [&](const Policy& policy, const std::string& script, const std::string& wanted) {
                     expect_strict(refuser, policy, script, wanted);
                 });
    }
}
