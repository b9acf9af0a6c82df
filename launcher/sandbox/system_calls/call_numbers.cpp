#include "call_numbers.hpp"

#include <seccomp.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <limits>

#include "launcher/sandbox/edit_distance.hpp"

namespace syncspawn::sandbox {
namespace {

struct NewerCall {
    const char* name;
    std::uint32_t number;
};

// What libseccomp 2.5 does not know yet. Since Linux 5.0 a new call has the same number on all processors,
// but for those whose numbers have an offset (alpha, mips).
constexpr std::array newer_calls{
    NewerCall{"set_mempolicy_home_node", 450},  // Linux 5.17
    NewerCall{"cachestat", 451},                // Linux 6.5
    NewerCall{"fchmodat2", 452},
    NewerCall{"map_shadow_stack", 453},  // Linux 6.6
    NewerCall{"futex_wake", 454},
    NewerCall{"futex_wait", 455},     // Linux 6.7
    NewerCall{"futex_requeue", 456},  // Linux 6.7
    NewerCall{"statmount", 457},
    NewerCall{"listmount", 458},  // Linux 6.8
    NewerCall{"lsm_get_self_attr", 459},
    NewerCall{"lsm_set_self_attr", 460},  // Linux 6.8
    NewerCall{"lsm_list_modules", 461},   // Linux 6.8
    NewerCall{"mseal", 462},              // Linux 6.10
    NewerCall{"setxattrat", 463},
    NewerCall{"getxattrat", 464},  // Linux 6.13
    NewerCall{"listxattrat", 465},
    NewerCall{"removexattrat", 466},   // Linux 6.13
    NewerCall{"open_tree_attr", 467},  // Linux 6.15
    NewerCall{"file_getattr", 468},
    NewerCall{"file_setattr", 469},  // Linux 6.17
};

}  // namespace

NamedCall find_call(const std::string& name) {
    const int number = seccomp_syscall_resolve_name(name.c_str());
    if (number >= 0) {
        return {.is_known = true, .number = static_cast<std::uint32_t>(number)};
    }
    for (const NewerCall& newer : newer_calls) {
        if (name == newer.name) {
            return {.is_known = true, .number = newer.number};
        }
    }
    // Below that are made-up numbers: for calls that other processors have.
    return {.is_known = number != __NR_SCMP_ERROR};
}

std::string nearest_call(const std::string& name) {
    constexpr int numbers_to_ask = 512;
    std::string nearest;
    std::size_t least = std::numeric_limits<std::size_t>::max();
    const auto look_at = [&](const char* known) {
        const std::size_t changes = edit_distance(name, known);
        if (changes < least) {
            least = changes;
            nearest = known;
        }
    };
    for (int number = 0; number < numbers_to_ask; ++number) {
        char* const known = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
        if (known != nullptr) {
            look_at(known);
            std::free(
                known);  // NOLINT(cppcoreguidelines-no-malloc,cppcoreguidelines-owning-memory)
        }
    }
    for (const NewerCall& newer : newer_calls) {
        look_at(newer.name);
    }
    return nearest;
}

std::uint32_t native_architecture() { return seccomp_arch_native(); }

}  // namespace syncspawn::sandbox
