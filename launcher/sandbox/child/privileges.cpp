#include "privileges.hpp"

#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "barrier/linux/bounded_text.hpp"

namespace syncspawn::sandbox {
namespace {

constexpr CapabilityBits setpcap = CapabilityBits{1} << CAP_SETPCAP;

constexpr CapabilityBits bit(int capability) noexcept { return CapabilityBits{1} << capability; }

// As capget(2) and capset(2) have them.
struct Sets {
    CapabilityBits effective = 0;
    CapabilityBits permitted = 0;
    CapabilityBits inheritable = 0;

    friend bool operator==(const Sets&, const Sets&) = default;
};

bool read_sets(Sets& sets) noexcept {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct half[2]{};
    if (syscall(SYS_capget, &header, half) < 0) {
        return false;
    }
    const auto whole = [](__u32 low, __u32 high) { return low | CapabilityBits{high} << 32U; };
    sets = {whole(half[0].effective, half[1].effective),
            whole(half[0].permitted, half[1].permitted),
            whole(half[0].inheritable, half[1].inheritable)};
    return true;
}

bool write_sets(const Sets& sets) noexcept {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const auto low = [](CapabilityBits bits) { return static_cast<__u32>(bits); };
    const auto high = [](CapabilityBits bits) { return static_cast<__u32>(bits >> 32U); };
    const __user_cap_data_struct half[2]{
        {low(sets.effective), low(sets.permitted), low(sets.inheritable)},
        {high(sets.effective), high(sets.permitted), high(sets.inheritable)}};
    return syscall(SYS_capset, &header, half) == 0;
}

// The answers of a prctl(2) that is asked about one capability after the other, until the kernel knows no more (EINVAL).
// What is refused for another reason has no answer: to take it for "none" would leave all as it is.
template <class Ask>
bool ask_about_each(CapabilityBits& bits, Ask ask) noexcept {
    bits = 0;
    for (int capability = 0; capability < most_capabilities; ++capability) {
        const int answer = ask(capability);
        if (answer < 0) {
            return errno == EINVAL;
        }
        bits |= answer > 0 ? bit(capability) : 0;
    }
    return true;
}

bool read_bounding(CapabilityBits& bits) noexcept {
    return ask_about_each(
        bits, [](int capability) { return prctl(PR_CAPBSET_READ, capability, 0, 0, 0); });
}

// None before Linux 4.3.
bool read_ambient(CapabilityBits& bits) noexcept {
    return ask_about_each(bits, [](int capability) {
        return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0);
    });
}

// "the child has no cap_net_admin to keep", of the first of these.
std::error_code lacks(ChildSide& side, const PlannedCapabilities& planned, CapabilityBits lacking,
                      const char* set) noexcept {
    int capability = 0;
    while ((lacking & bit(capability)) == 0) {
        ++capability;
    }
    char text[120];
    detail::BoundedText(text) << set << ": the child does not have " << planned.names[capability];
    return side.fail(EPERM, text);
}

constexpr const char* reading_bounding = "prctl(PR_CAPBSET_READ)";

std::error_code settle_without_setpcap(ChildSide& side,
                                       const PlannedCapabilities& planned) noexcept {
    CapabilityBits bounding = 0;
    if (!read_bounding(bounding)) {
        return side.fail(reading_bounding);
    }
    const CapabilityBits wanted = planned.bounding.value_or(bounding);
    if ((wanted & ~bounding) != 0) {
        return lacks(side, planned, wanted & ~bounding, "bounding set");
    }
    return bounding == wanted || planned.may_leave_bounding
               ? side.done()
               : side.fail(EPERM, "the bounding set: dropping from it takes CAP_SETPCAP");
}

// What is not there can be dropped, too: so nobody need ask before.
std::error_code lower_bounding(ChildSide& side, const PlannedCapabilities& planned,
                               const Sets& present) noexcept {
    if (!planned.bounding) {
        return side.done();
    }
    const CapabilityBits wanted = *planned.bounding;
    if ((present.permitted & setpcap) == 0) {
        return settle_without_setpcap(side, planned);
    }
    for (int capability = 0; capability < most_capabilities; ++capability) {
        if ((wanted & bit(capability)) == 0 && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
            if (errno == EINVAL) {
                break;  // the kernel knows no more
            }
            return side.fail("prctl(PR_CAPBSET_DROP)");
        }
    }
    CapabilityBits bounding = 0;
    if (!read_bounding(bounding)) {
        return side.fail(reading_bounding);
    }
    if ((wanted & ~bounding) != 0) {
        return lacks(side, planned, wanted & ~bounding, "bounding set");
    }
    return bounding == wanted ? side.done()
                              : side.fail(ECANCELED, "the bounding set is another one afterwards");
}

std::error_code set_ambient(ChildSide& side, CapabilityBits ambient) noexcept {
    constexpr const char* reading = "prctl(PR_CAP_AMBIENT_IS_SET)";
    CapabilityBits present = 0;
    if (!read_ambient(present)) {
        return side.fail(reading);
    }
    if (present == ambient) {
        return side.done();
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) {
        return side.fail("prctl(PR_CAP_AMBIENT_CLEAR_ALL)");
    }
    for (int capability = 0; capability < most_capabilities; ++capability) {
        if ((ambient & bit(capability)) != 0 &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0) {
            return side.fail(errno == EPERM
                                 ? "prctl(PR_CAP_AMBIENT_RAISE) (a secure bit forbids it, or the "
                                   "capability is not permitted and inheritable)"
                                 : "prctl(PR_CAP_AMBIENT_RAISE)");
        }
    }
    if (!read_ambient(present)) {
        return side.fail(reading);
    }
    return present == ambient ? side.done()
                              : side.fail(ECANCELED, "the ambient set is another one afterwards");
}

std::error_code write_verified(ChildSide& side, const Sets& sets) noexcept {
    if (!write_sets(sets)) {
        return side.fail(errno == EPERM ? "capset (more inheritable ones take CAP_SETPCAP)"
                                        : "capset");
    }
    Sets present;
    if (!read_sets(present)) {
        return side.fail("capget");
    }
    return present == sets ? side.done()
                           : side.fail(ECANCELED, "the capabilities are others afterwards");
}

}  // namespace

// With all that it has at first, since each of these calls may take some of it. What is inheritable comes before
// the bounding set, which it may not exceed later.
std::error_code take_capabilities(ChildSide& side, const PlannedCapabilities& planned) noexcept {
    Sets present;
    if (!read_sets(present)) {
        return side.fail("capget");
    }
    Sets wanted;
    wanted.permitted = planned.permitted.value_or(present.permitted);
    wanted.effective = planned.effective.value_or(present.effective & wanted.permitted);
    wanted.inheritable = planned.inheritable.value_or(present.inheritable);
    if ((wanted.permitted & ~present.permitted) != 0) {
        return lacks(side, planned, wanted.permitted & ~present.permitted, "permitted set");
    }
    if ((wanted.effective & ~wanted.permitted) != 0) {
        return lacks(side, planned, wanted.effective & ~wanted.permitted, "effective set");
    }
    std::error_code error;
    if (planned.bounding || planned.ambient || planned.secure_bits != 0) {
        error = write_verified(side, {present.effective | (present.permitted & setpcap),
                                      present.permitted, wanted.inheritable});
    }
    if (!error) {
        error = lower_bounding(side, planned, present);
    }
    const CapabilityBits ambient = planned.ambient.value_or(0);
    // One that is not both permitted and inheritable is never ambient: capabilities(7).
    const bool can_be_ambient = (present.permitted & wanted.inheritable) != 0;
    if (!error && planned.ambient && can_be_ambient) {
        error = set_ambient(side, ambient);
    }
    if (!error && planned.secure_bits != 0) {
        error = add_secure_bits(side, planned.secure_bits);
    }
    if (!error) {
        error = write_verified(side, wanted);
    }
    CapabilityBits kept = 0;
    if (!error && ambient != 0 && !read_ambient(kept)) {
        return side.fail("prctl(PR_CAP_AMBIENT_IS_SET)");
    }
    return !error && (ambient & ~kept) != 0
               ? side.fail(EPERM, "the ambient set: not all of it is permitted and inheritable")
               : error;
}

std::error_code add_secure_bits(ChildSide& side, unsigned bits) noexcept {
    const int present = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
    if (present < 0) {
        return side.fail("prctl(PR_GET_SECUREBITS)");
    }
    const unsigned wanted = static_cast<unsigned>(present) | bits;
    // This one takes no capability.
    const bool is_set = bits == SECBIT_KEEP_CAPS ? prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0
                                                 : prctl(PR_SET_SECUREBITS, wanted, 0, 0, 0) == 0;
    if (!is_set) {
        return side.fail(
            errno == EPERM ? "prctl(PR_SET_SECUREBITS) (CAP_SETPCAP is missing, or a bit is locked)"
                           : "prctl(PR_SET_SECUREBITS)");
    }
    const int set = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
    if (set < 0) {
        return side.fail("prctl(PR_GET_SECUREBITS)");
    }
    return set == static_cast<int>(wanted)
               ? side.done()
               : side.fail(ECANCELED, "the secure bits are others afterwards");
}

std::error_code join_new_session_keyring(ChildSide& side, bool may_be_refused) noexcept {
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr, 0, 0, 0) >= 0) {
        return side.done();
    }
    switch (errno) {
        case EPERM:
        case ENOSYS:
            return may_be_refused
                       ? side.done()
                       : side.fail("keyctl (a container's filter, or a kernel without keyrings)");
        case EDQUOT:
            return side.fail("keyctl (the user has no quota for keys left: /proc/key-users)");
        default:
            return side.fail("keyctl(KEYCTL_JOIN_SESSION_KEYRING)");
    }
}

}  // namespace syncspawn::sandbox
