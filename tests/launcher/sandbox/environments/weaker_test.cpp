// A policy that accepts what is weaker, where something is refused: it holds by the second choice, which the report
// names, and the program can do no more for that.

#include "scene.hpp"

#include <cerrno>

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

struct Weaker {
    Guarantee guarantee;
    const char* mechanism;
    const char* gap;
};

struct Refuser {
    std::string name;
    void (*enter)();
    std::vector<Weaker> weaker;
};

const std::vector<Weaker> by_landlock{
    {Guarantee::files, "Landlock", "names are seen"},
    {Guarantee::services, "Landlock's scopes", "sockets with a path"},
    {Guarantee::processes, "Landlock's scope of signals", "processes outside are seen"}};
const std::vector<Weaker> by_present_proc{
    {Guarantee::processes, "a pid namespace with the present /proc", "are seen in /proc"}};

const std::vector<Refuser> refusers{
    {"Docker", [] { docker_profile(); }, by_landlock},
    {"Docker, without capabilities", [] { docker_profile(KeptCapabilities::none); }, by_landlock},
    {"Docker's filter, and all capabilities", [] { docker_filter(); }, by_landlock},
    {"a container's root without CAP_SETFCAP",
     [] { root_without_capabilities(KeptCapabilities::none); }, by_landlock},
    {"AppArmor on Ubuntu 24.04", [] { stripped_user_namespaces(); }, by_landlock},
    {"no user namespaces",
     [] {
         no_user_namespaces();
         become_ordinary_user();
     },
     by_landlock},
    {"a covered /proc",
     [] {
         covered_proc();
         become_ordinary_user();
     },
     by_present_proc},
    {"a covered /proc, and a container's root",
     [] {
         covered_proc();
         root_without_capabilities();
     },
     by_present_proc},
    {"no /proc",
     [] {
         no_proc();
         become_ordinary_user();
     },
     by_landlock},
    {"a chroot", [] { in_chroot(); }, by_landlock},
    {"a Landlock domain", [] { in_landlock_domain(); }, by_landlock},
};

void expect_weaker(const std::vector<Weaker>& wanted, const Sandbox& sandbox) {
    std::size_t found = 0;
    for (const Holding& holding : sandbox.explain().holdings) {
        if (!holding.is_whole) {
            expect(found < wanted.size());
            const Weaker& one = wanted[found++];
            expect(holding.guarantee == one.guarantee);
            expect_same(holding.mechanism.c_str(), one.mechanism);
            expect(has(holding.gap, one.gap));
        }
    }
    expect_same(static_cast<long long>(found), static_cast<long long>(wanted.size()));
}

}  // namespace

TEST_CASE("where something is refused, a weaker policy holds by the second choice, and says so") {
    if (const std::string missing = what_is_missing_here(); !missing.empty()) {
        SKIP_TEST(missing);
    }
    for (const Refuser& refuser : refusers) {
        CAPTURE(refuser.name);
        check_in(refuser.enter, [&](Policy policy, const std::string& script,
                                    const std::string& wanted) {
            policy.accept_weaker = {Guarantee::files, Guarantee::services, Guarantee::processes};
            const Sandbox sandbox(policy);
            expect_weaker(refuser.weaker, sandbox);
            expect_held(sandbox, script, wanted);
        });
    }
}
