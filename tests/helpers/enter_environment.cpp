// enter_environment NAME... -- PROGRAM [ARG]...: executes a program on a machine that refuses things. The names are
// functions of support/environment.hpp; "ordinary_user" is one, too. 45: this machine cannot be such a one.

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string_view>

#include "support/environment.hpp"
#include "support/ordinary_user.hpp"
#include "support/peer.hpp"

namespace {

using namespace syncspawn::testing;

constexpr struct {
    std::string_view name;
    void (*enter)();
} environments[]{
    {"ordinary_user", [] { become_ordinary_user(); }},
    {"root_without_capabilities", [] { root_without_capabilities(KeptCapabilities::none); }},
    {"docker_filter", [] { docker_filter(); }},
    {"docker_profile", [] { docker_profile(); }},
    {"stripped_user_namespaces", [] { stripped_user_namespaces(); }},
    {"no_user_namespaces", [] { no_user_namespaces(); }},
    {"covered_proc", [] { covered_proc(); }},
    {"no_proc", [] { no_proc(); }},
    {"in_chroot", [] { in_chroot(); }},
    {"read_only_cgroups", [] { read_only_cgroups(); }},
    {"without_landlock", [] { without_landlock(); }},
    {"landlock_not_enabled", [] { without_landlock(NoLandlock::not_enabled); }},
    {"old_landlock", [] { old_landlock(3); }},
    {"in_landlock_domain", [] { in_landlock_domain(); }},
    {"kills_for_landlock", [] { kill_for_system_calls({SYS_landlock_create_ruleset}); }},
    {"kills_for_namespaces",
     [] {
         kill_for_system_calls({SYS_unshare, SYS_mount});
     }},
};

void enter(std::string_view name) {
    for (const auto& one : environments) {
        if (one.name == name) {
            one.enter();
            return;
        }
    }
    std::fprintf(stderr, "no environment is called '%s'\n", name.data());
    _exit(status_expected);
}

}  // namespace

int main(int argc, char** argv) {
    // Opened before: the environment may hide the program or forbid its directory.
    int at = 1;
    while (at < argc && std::strcmp(argv[at], "--") != 0) {
        ++at;
    }
    if (at + 1 >= argc) {
        return status_expected;
    }
    char** const program = argv + at + 1;
    const int file = open(program[0], O_PATH | O_CLOEXEC);
    for (int name = 1; name < at; ++name) {
        enter(argv[name]);
    }
    syscall(SYS_execveat, file, "", program, environ, AT_EMPTY_PATH);
    std::perror(program[0]);
    return status_expected;
}
