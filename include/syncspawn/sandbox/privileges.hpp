#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/launcher/step.hpp>

/// Privileges: the capabilities that the program has, and a session keyring of its own.
///
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/sandbox/privileges.hpp>
///     #include <syncspawn/steps.hpp>
///
///     int main() {
///         namespace sandbox = syncspawn::sandbox;
///         syncspawn::SyncedSpawner spawner(
///             {.program = "grep", .arguments = {"-q", "^CapEff:\t0*$", "/proc/self/status"}});
///         sandbox::CapabilitySets none = sandbox::only_capabilities({});
///         none.without_setpcap = sandbox::WithoutSetpcap::leave_bounding;  // for an ordinary user
///         spawner.step(sandbox::capabilities(none));
///         spawner.step(syncspawn::steps::no_new_privileges());
///         return spawner.spawn().wait().shell_code();
///     }
///
/// A process has five sets; capabilities(7) says how execve(2) makes the program's from the child's. In short: a
/// program that runs as root gets its inheritable and its bounding set, whatever it had before. Any other keeps its
/// ambient set, and loses the rest. So only_capabilities() sets all five, and holds for both.
///
/// The order: become() and other steps that need privileges first, then capabilities(), then no_new_privileges().
/// A change of the user from root to another one takes all capabilities away. To keep some, put
/// secure_bits(SecureBits::keep_capabilities) before it and capabilities() behind it.
///
/// All steps here may share memory: no id changes, and no capability is added to the permitted set, so the kernel
/// leaves the "dumpable" flag alone.

namespace syncspawn::sandbox {

/// "cap_net_admin", "net_admin" or "CAP_NET_ADMIN"; or a number, for one that libcap does not know yet.
using CapabilityNames = std::vector<std::string>;

/// All that this kernel knows.
[[nodiscard]] SYNCSPAWN_API CapabilityNames all_capabilities();

/// How the kernel treats root and changes of the user: capabilities(7). They are combined by `|`.
enum class SecureBits : std::uint32_t {
    none = 0,
    no_root = 0x1,          ///< root gets no capabilities by execve(2)
    no_setuid_fixup = 0x4,  ///< a change of the user changes no capabilities
    keep_capabilities =
        0x10,  ///< it leaves the permitted set alone; until execve(2). Takes no privilege
    no_ambient_raise = 0x40,  ///< the ambient set can only be lowered; Linux 4.3
};
constexpr SecureBits operator|(SecureBits left, SecureBits right) noexcept {
    return static_cast<SecureBits>(static_cast<std::uint32_t>(left) |
                                   static_cast<std::uint32_t>(right));
}
/// These, and none of them can be cleared any more.
constexpr SecureBits locked(SecureBits bits) noexcept {
    return static_cast<SecureBits>(static_cast<std::uint32_t>(bits) |
                                   static_cast<std::uint32_t>(bits) << 1U);
}

/// What to do where the child may not lower its bounding set, which takes CAP_SETPCAP.
enum class WithoutSetpcap {
    fail,  ///< the step fails with EPERM
    /// The bounding set stays. With no_new_privs it gives nobody anything, for execve(2) adds no capability then.
    leave_bounding,
};

/// A set that is not set stays as it is, as far as the others let it: `.bounding = CapabilityNames{"cap_kill"}`.
struct CapabilitySets {
    std::optional<CapabilityNames>
        bounding{};  ///< what execve(2) can give at the most, but for ambient ones
    std::optional<CapabilityNames> permitted{};  ///< what the child may use. It can only be lowered
    std::optional<CapabilityNames> effective{};  ///< what it does use, of its permitted ones
    std::optional<CapabilityNames>
        inheritable{};  ///< what a file of the same inheritable ones gives, and root
    std::optional<CapabilityNames> ambient{};  ///< what a program that is not root keeps; Linux 4.3
    /// Set before CAP_SETPCAP is dropped, which they take, and after the ambient set is raised.
    SecureBits secure_bits = SecureBits::none;
    WithoutSetpcap without_setpcap = WithoutSetpcap::fail;
};

/// All five sets are these: so the program has these capabilities and no others, root or not, and cannot get more.
[[nodiscard]] SYNCSPAWN_API CapabilitySets only_capabilities(const CapabilityNames& names);

/// The child has these sets from this step on; what the program makes of them is said above. Afterwards the step looks
/// whether it has them.
///
/// Throws std::invalid_argument if nothing is set, a name is unknown, or nobody can have the sets: effective
/// ones that are not permitted, ambient ones that are not permitted and inheritable. Throws std::system_error if this
/// kernel lacks one. The step fails with EPERM, and names a capability, where the child does not have it.
[[nodiscard]] SYNCSPAWN_API Step capabilities(const CapabilitySets& sets);

/// Sets these bits; those that are set already stay. All but keep_capabilities take CAP_SETPCAP. Throws
/// std::invalid_argument for none.
[[nodiscard]] SYNCSPAWN_API Step secure_bits(SecureBits bits);

/// What to do where keyctl(2) answers ENOSYS or EPERM, as the filter of most containers does.
enum class WithoutKeyrings {
    fail,  ///< the step fails with that
    go_on,  ///< who cannot call it cannot use a keyring, either: the program is under the same filter
};

/// The program has a new and empty session keyring, not the caller's with its keys: keyctl_join_session_keyring(3).
/// The keyrings of the user, which belong to the user id, are not replaced: where that stays the same, their
/// keys can still be asked for.
[[nodiscard]] SYNCSPAWN_API Step
new_session_keyring(WithoutKeyrings without = WithoutKeyrings::fail);

}  // namespace syncspawn::sandbox
